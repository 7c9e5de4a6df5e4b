import { describe, expect, test } from 'vitest'
import { refuseForeignBrowser, refuseForeignWebSocket, type BrowserRules } from './browser-rules.ts'

const rules: BrowserRules = { allowedOrigins: ['https://console.example.com'], loopback: true }

function verdict(method: string, headers: Record<string, string>, over: Partial<BrowserRules> = {}): string {
  return refuseForeignBrowser(
    new Request('http://127.0.0.1:8455/', { method, headers: { host: '127.0.0.1:8455', ...headers } }),
    { ...rules, ...over },
  ).kind
}

describe('requests', () => {
  test('of programs that are no browsers are allowed', () => {
    for (const method of ['GET', 'POST', 'DELETE']) expect(verdict(method, {})).toBe('allowed')
  })

  test('of the API’s own pages are allowed', () => {
    expect(verdict('POST', { origin: 'http://127.0.0.1:8455' })).toBe('allowed')
    expect(verdict('POST', { 'sec-fetch-site': 'same-origin' })).toBe('allowed')
  })

  test('of foreign pages may not write', () => {
    for (const origin of ['https://evil.example', 'http://127.0.0.1:9999', 'null', 'http://127.0.0.1:8455.evil.example']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) expect(verdict(method, { origin })).toBe('refused')
    }
    expect(verdict('POST', { 'sec-fetch-site': 'cross-site' })).toBe('refused')
    expect(verdict('OPTIONS', { origin: 'https://evil.example', 'access-control-request-method': 'POST' })).toBe('refused')
  })

  test('of origins that are listed are allowed, and may ask first', () => {
    const origin = 'https://console.example.com'
    expect(verdict('POST', { origin })).toBe('allowed')
    expect(verdict('OPTIONS', { origin, 'access-control-request-method': 'POST' })).toBe('preflight')
  })

  test('never share answers with everybody', () => {
    for (const origin of ['https://evil.example', 'https://console.example.com']) {
      const request = new Request('http://127.0.0.1:8455/', { headers: { host: '127.0.0.1', origin } })
      const { headers } = refuseForeignBrowser(request, rules)
      expect(headers['access-control-allow-origin']).toBe(origin.includes('console') ? origin : undefined)
    }
  })

  test('to a loopback listener must name this machine', () => {
    for (const host of ['localhost:8455', '127.0.0.1', '[::1]:8455', 'app.localhost', 'console.example.com'])
      expect(verdict('GET', { host })).toBe('allowed')
    expect(verdict('GET', { host: 'rebound.example:8455' })).toBe('refused')
    expect(verdict('GET', { host: 'broker.internal' }, { loopback: false })).toBe('allowed')
  })
})

test('WebSockets of foreign pages are refused', () => {
  const host = '127.0.0.1:8455'
  expect(refuseForeignWebSocket(undefined, host, rules)).toBeUndefined()
  expect(refuseForeignWebSocket('http://127.0.0.1:8455', host, rules)).toBeUndefined()
  expect(refuseForeignWebSocket('https://console.example.com', host, rules)).toBeUndefined()
  expect(refuseForeignWebSocket('https://evil.example', host, rules)).toContain('https://evil.example')
  expect(refuseForeignWebSocket(undefined, 'rebound.example', rules)).toContain('rebound.example')
})
