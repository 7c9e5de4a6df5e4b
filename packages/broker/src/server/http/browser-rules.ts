import { isIP } from 'node:net'
import { MillraceError } from '../../base/errors.ts'

/** What a page in a browser may do with the API. Programs other than browsers send no Origin and are not concerned. */
export interface BrowserRules {
  /** Origins besides the API's own. */
  readonly allowedOrigins: readonly string[]
  /** Whether the listener serves this machine only: then a host name that was pointed at 127.0.0.1 is an attack. */
  readonly loopback: boolean
}

export type BrowserVerdict =
  | { readonly kind: 'allowed'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'preflight'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'refused'; readonly error: MillraceError; readonly headers: Readonly<Record<string, string>> }

const NO_HEADERS: Readonly<Record<string, string>> = {}

/**
 * Any web page can make its visitor's browser send requests to 127.0.0.1; without users there is nothing else in the way.
 * So writes from foreign origins are refused, reads are left to the same-origin policy, and on a loopback listener
 * the Host must be an address or localhost (DNS rebinding).
 */
export function refuseForeignBrowser(request: Request, rules: BrowserRules): BrowserVerdict {
  const headers = request.headers
  const host = headers.get('host') ?? ''
  if (rules.loopback && !isLocalHost(host, rules.allowedOrigins)) {
    return refused(
      `The host name ${JSON.stringify(host)} is not one of this broker's. Use 127.0.0.1 or localhost, or list its origin in http.allowedOrigins.`,
    )
  }
  const origin = headers.get('origin')
  const listed = origin !== null && rules.allowedOrigins.includes(origin)
  const shared = listed ? sharedHeaders(origin, headers) : NO_HEADERS
  if (listed && request.method === 'OPTIONS' && headers.has('access-control-request-method'))
    return { kind: 'preflight', headers: shared }
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (!reads && !listed && !isOwnOrigin(origin, headers.get('sec-fetch-site'), host)) return refusedOrigin(origin)
  return { kind: 'allowed', headers: shared }
}

/** A WebSocket is a write, and no same-origin policy protects it. @returns why it is refused, or undefined */
export function refuseForeignWebSocket(origin: string | undefined, host: string, rules: BrowserRules): string | undefined {
  if (rules.loopback && !isLocalHost(host, rules.allowedOrigins))
    return `the host name ${JSON.stringify(host)} is not one of this broker's`
  if (origin === undefined || rules.allowedOrigins.includes(origin) || isOwnOrigin(origin, null, host)) return undefined
  return `web pages of ${origin} may not use this broker (http.allowedOrigins)`
}

function isOwnOrigin(origin: string | null, site: string | null, host: string): boolean {
  if (origin === null) return site === null || site === 'same-origin' || site === 'none'
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host
}

function isLocalHost(host: string, allowedOrigins: readonly string[]): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  if (name === '' || isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true
  return allowedOrigins.some((origin) => URL.canParse(origin) && [new URL(origin).host, new URL(origin).hostname].includes(host))
}

function sharedHeaders(origin: string, headers: Headers): Readonly<Record<string, string>> {
  const asked = headers.get('access-control-request-headers')
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, PUT, POST, PATCH, DELETE',
    ...(asked === null ? {} : { 'access-control-allow-headers': asked }),
    'access-control-max-age': '600',
    'cross-origin-resource-policy': 'cross-origin',
    vary: 'Origin',
  }
}

function refusedOrigin(origin: string | null): BrowserVerdict {
  return refused(
    `Web pages of ${origin ?? 'another site'} may not change anything here. To allow it, list the origin in http.allowedOrigins.`,
  )
}

function refused(message: string): BrowserVerdict {
  return { kind: 'refused', error: new MillraceError('forbidden', message), headers: NO_HEADERS }
}
