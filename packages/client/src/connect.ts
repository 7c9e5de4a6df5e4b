import type { ConnectOptions, Millrace } from './api.ts'
import { MillraceError } from './errors.ts'
import { openMillrace } from './open-millrace.ts'
import { tcpDial } from './tcp-transport.ts'
import type { Dial } from './transport.ts'
import { webSocketDial } from './websocket-transport.ts'

const DEFAULT_PORT = 6455
const WEB_SOCKET_PATH = '/v1/native'

/**
 * Connects to a broker.
 * @param url `millrace://HOST:PORT` (TCP; default port 6455), `millraces://` (the same with TLS), `ws://HOST:PORT` or `wss://HOST:PORT` (default path
 * `/v1/native`).
 * User and password may be part of it.
 * @throws MillraceError `timeout` when no broker answered in time, `unauthorized`, `bad_request` for a URL that is none
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Millrace> {
  const target = parse(url)
  if (options.tls !== undefined && !['millraces:', 'wss:'].includes(target.protocol))
    throw new MillraceError('bad_request', `\`tls\` goes with a millraces:// or wss:// URL, not ${target.protocol}//.`)
  const { username, password } = target
  const credentials = username === '' ? {} : { user: decodeURIComponent(username), password: decodeURIComponent(password) }
  return openMillrace(dialOf(target, options), `${target.protocol}//${target.host}`, { ...credentials, ...options })
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch (cause) {
    throw new MillraceError('bad_request', `${JSON.stringify(url)} is not a URL: millrace://HOST:PORT is expected.`, { cause })
  }
}

function dialOf(url: URL, options: ConnectOptions): Dial {
  switch (url.protocol) {
    case 'millrace:':
    case 'millraces:': {
      // Brackets belong to the URL, not to an IPv6 address.
      const host = url.hostname.replace(/^\[|\]$/g, '') || 'localhost'
      const tls = url.protocol === 'millraces:' ? (options.tls ?? {}) : undefined
      return tcpDial(host, url.port === '' ? DEFAULT_PORT : Number(url.port), tls)
    }
    case 'ws:':
    case 'wss:': {
      const path = url.pathname === '/' ? WEB_SOCKET_PATH : url.pathname
      return webSocketDial(`${url.protocol}//${url.host}${path}`, options.WebSocket, options.tls)
    }
    default:
      throw new MillraceError(
        'bad_request',
        `A broker's URL begins with millrace://, millraces://, ws:// or wss://, not ${url.protocol}//.`,
      )
  }
}
