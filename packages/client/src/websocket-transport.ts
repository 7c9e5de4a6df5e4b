import { MillraceError } from './errors.ts'
import type { TlsOptions } from './security-options.ts'
import type { Dial, Transport } from './transport.ts'

/** The part of the WebSocket interface that is used: the platform's own, or that of the `ws` package. */
interface Socket {
  binaryType: string
  readonly readyState: number
  send(data: Uint8Array): void
  close(): void
  addEventListener(type: string, listener: (event: never) => void): void
}
type SocketConstructor = new (url: string, protocols?: readonly string[], options?: TlsOptions) => Socket

const OPEN = 1

/**
 * @param constructor for platforms without a global WebSocket (Node 20): the class of the `ws` package
 * @param tls for `wss:`; needs the class of the `ws` package
 */
export function webSocketDial(url: string, constructor: unknown, tls?: TlsOptions): Dial {
  const WebSocket = (constructor ?? (globalThis as { WebSocket?: unknown }).WebSocket) as SocketConstructor | undefined
  if (WebSocket === undefined) {
    throw new MillraceError(
      'unsupported',
      'This platform has no WebSocket: pass one as the option `WebSocket` (the `ws` package), or use a millrace:// URL.',
    )
  }
  if (tls !== undefined && constructor === undefined) {
    throw new MillraceError(
      'unsupported',
      "The platform's own WebSocket takes no `tls`: pass the class of the `ws` package as the option `WebSocket` too, or use a millraces:// URL.",
    )
  }
  return (events, signal) =>
    new Promise((resolve, reject) => {
      const socket = tls === undefined ? new WebSocket(url) : new WebSocket(url, [], tls)
      socket.binaryType = 'arraybuffer'
      let open = false
      let closed = false
      let failure: Error | undefined

      const ended = (): void => {
        if (closed) return
        closed = true
        signal.removeEventListener('abort', abort)
        if (open) events.closed(failure)
        else reject(failure ?? new Error(`the WebSocket to ${url} did not open`))
      }
      const abort = (): void => {
        failure = signal.reason instanceof Error ? signal.reason : new Error('aborted')
        socket.close()
        ended()
      }
      const transport: Transport = {
        write(chunks) {
          if (socket.readyState !== OPEN) return
          for (const chunk of chunks) socket.send(chunk)
        },
        close: () => socket.close(),
        destroy() {
          socket.close()
          // The closing handshake may never be answered.
          ended()
        },
      }
      signal.addEventListener('abort', abort, { once: true })
      socket.addEventListener('open', () => {
        if (closed) return
        signal.removeEventListener('abort', abort)
        open = true
        resolve(transport)
      })
      socket.addEventListener('message', (event: { readonly data: unknown }) => {
        if (closed || !open) return
        if (event.data instanceof ArrayBuffer) events.data(new Uint8Array(event.data))
        else {
          failure = new MillraceError('bad_request', 'The other side sent text; the native protocol is binary.')
          transport.destroy()
        }
      })
      socket.addEventListener('error', (event: { readonly message?: string }) => {
        failure ??= new Error(event.message ?? `the WebSocket to ${url} failed`)
      })
      socket.addEventListener('close', ended)
    })
}
