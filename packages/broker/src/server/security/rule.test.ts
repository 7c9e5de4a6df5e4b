import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePattern } from './resource-pattern.ts'
import type { Action } from '../../protocols/session.ts'
import { fromSomewhere, parseRule, reachesVhost, verdictOf, verdictSomewhere } from './rule.ts'

describe('a pattern', () => {
  it.each([
    ['queue:orders', 'queue:orders', true],
    ['queue:orders', 'queue:orders2', false],
    ['queue:orders.*', 'queue:orders.eu', true],
    ['queue:orders.*', 'queue:orders', false],
    ['queue:*', 'topic:orders', false],
    ['topic:*', 'topic:logs/all', false],
    ['topic:logs/**', 'topic:logs', true],
    ['topic:logs/**', 'topic:logs/all', true],
    ['topic:logs/**', 'topic:logs2', false],
    ['topic:*', 'topic:%2Fprod::logs', true],
    ['topic:%2Fprod::*', 'topic:%2Fprod::logs', true],
    ['topic:*/audit', 'topic:logs/audit', true],
    ['queue:*.in.*', 'queue:a.in.b.in.c', true],
    ['queue:a*b', 'queue:ab', true],
    ['queue:*', 'queue:a/b', true],
    ['queue:a/*', 'queue:a/b/c', true],
    ['queue:a/**', 'queue:a', false],
    ['vhost:*', 'vhost:/', true],
    ['queue:my%20queue%2c%20too', 'queue:my queue, too', true],
    ['queue:my%20queue', 'queue:my%20queue', false],
    ['queue:%2A', 'queue:a', false],
    ['queue:%2A*', 'queue:*a', true],
    ['queue:%2A*', 'queue:aa', false],
    ['exchange:100%25*', 'exchange:100% sure', true],
    ['queue:%F0%9F%98%80*', 'queue:😀!', true],
    ['group:100%25', 'group:100%25', true],
    ['**', 'broker', true],
  ])('%s and %s: %s', (pattern, resource, expected) => {
    expect(compilePattern(pattern)(resource)).toBe(expected)
  })

  it('decides as an expression for the same does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 12 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '**', '.'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, text, (glob, name) => {
        const source = glob.replaceAll('.', '\\.').replaceAll(/\*\*+|\*/g, (stars) => (stars === '*' ? '[^/]*' : '.*'))
        const also = glob.endsWith('/**') ? `|^${source.replace(/\/\.\*$/, '')}$` : ''
        expect(compilePattern(glob)(name)).toBe(new RegExp(`^${source}$${also}`).test(name) || glob === '**')
      }),
      { numRuns: 3000 },
    )
  })

  it('takes no time that explodes', () => {
    const matches = compilePattern(`queue:${'*a'.repeat(100)}b`)
    expect(matches(`queue:${'a'.repeat(600)}`)).toBe(false)
  })
})

describe('rules', () => {
  it('deny what no rule allows, and a denial wins', () => {
    const rules = ['allow publish,consume queue:orders.*,topic:logs/**', 'deny all queue:orders.secret', 'allow describe broker']
    const may = (action: Action, resource: string): boolean => verdictOf(rules.map(parseRule), action, resource) === 'allow'
    expect(may('publish', 'queue:orders.eu')).toBe(true)
    expect(may('consume', 'topic:logs/all')).toBe(true)
    expect(may('publish', 'queue:orders.secret')).toBe(false)
    expect(may('read', 'queue:orders.eu')).toBe(false)
    expect(may('publish', 'queue:other')).toBe(false)
    expect(may('describe', 'broker')).toBe(true)
    expect(may('administer', 'broker')).toBe(false)
    expect(verdictOf([parseRule('allow publish transaction:shop-*')], 'publish', 'transaction:shop-1')).toBe('allow')
    expect(verdictOf([parseRule('allow publish exchange:*,vhost:prod')], 'publish', 'exchange:orders')).toBe('allow')
  })

  it.each([
    ['allow read topic:t', '/', true],
    ['allow describe broker', '/', true],
    ['deny all queue:prod::x', '/', false],
    ['allow read topic:t', 'prod', false],
    ['allow all **', 'prod', true],
    ['allow publish queue:prod::orders', 'prod', true],
    ['allow publish queue:prod::orders', 'pro', false],
    ['allow publish exchange:prod::*', 'prod', true],
    ['allow publish queue:*::orders', 'prod', true],
    ['allow publish queue:*', 'prod', true],
    ['allow publish queue:*', '/prod', true],
    ['allow read topic:%2Fprod::*', '/prod', true],
    ['allow read topic:prod::*', '/prod', false],
    ['allow publish queue:**', '/prod', true],
    ['allow consume group:*', 'prod', false],
  ])('%s reaches the virtual host %s: %s', (rule, vhost, expected) => {
    expect(reachesVhost([parseRule(rule)], vhost)).toBe(expected)
  })

  it('count from some addresses alone, if they say so', () => {
    const rules = [
      'allow publish queue:a from 10.0.0.0/8,::1',
      'deny publish queue:a from 10.0.0.7',
      'allow read queue:a',
      'allow all ** from 127.0.0.1',
      'deny administer broker from 127.0.0.0/8',
    ].map(parseRule)
    const may = (address: string | undefined, action: 'publish' | 'read' = 'publish'): boolean =>
      verdictOf(rules, action, 'queue:a', address) === 'allow'
    expect(['10.1.2.3:5', '[::1]:5', '[::ffff:10.1.2.3]:5', '127.0.0.1:5'].map((address) => may(address))).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(['10.0.0.7:5', '11.0.0.1:5', '127.0.0.2:5', 'in-process', undefined].map((address) => may(address))).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
    expect(may('11.0.0.1:5', 'read')).toBe(true)
    expect(verdictOf(rules, 'administer', 'broker', '127.0.0.1:5')).toBe('deny')
    expect(verdictOf(fromSomewhere(rules), 'administer', 'broker')).toBe('allow')
    expect(verdictOf(fromSomewhere(rules.slice(0, 3)), 'administer', 'broker')).toBeUndefined()
    expect(verdictSomewhere(rules, 'publish', 'queue', '10.1.2.3:5')).toBe('allow')
    expect(verdictSomewhere(rules, 'publish', 'queue', '11.0.0.1:5')).toBeUndefined()
  })

  it.each([
    ['allow read queue:a from', /from ADDRESSES/],
    ['allow read queue:a for 10.0.0.1', /from ADDRESSES/],
    ['allow read queue:a from shop.example', /neither an IP address nor a network/],
    ['allow read queue:a from 10.0.0.1,', /neither an IP address nor a network/],
    ['allow', /write `allow ACTIONS RESOURCES`/],
    ['allow read queue:100%', /write %25/],
    ['allow read queue:%ff*', /write %25/],
    ['permit read queue:a', /write `allow/],
    ['allow reed queue:a', /Did you mean read/],
    ['allow read orders', /no resource/],
    ['allow read queue:a queue:b', /write `allow/],
  ])('%s is refused', (text, why) => {
    expect(() => parseRule(text)).toThrow(why)
  })
})
