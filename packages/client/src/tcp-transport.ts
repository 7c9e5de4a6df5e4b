import type { Socket } from 'node:net'
import type { TlsOptions } from './security-options.ts'
import type { Dial } from './transport.ts'

/** TCP by `node:net` and `node:tls`, which are loaded on first use: this package also has to load in a browser. @param tls undefined: in clear */
export function tcpDial(host: string, port: number, tls?: TlsOptions): Dial {
  return async (events, signal) => {
    const connect = await connector(host, port, tls)
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const socket = connect()
      let open = false
      let failure: Error | undefined
      const abort = (): void => {
        socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      }
      signal.addEventListener('abort', abort, { once: true })
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        signal.removeEventListener('abort', abort)
        open = true
        resolve({
          write(chunks) {
            if (socket.destroyed) return
            socket.cork()
            for (const chunk of chunks) socket.write(chunk)
            socket.uncork()
          },
          close: () => void socket.end(),
          destroy: () => void socket.destroy(),
        })
      })
      socket.on('data', (bytes) => events.data(bytes))
      socket.on('error', (error) => {
        failure = error
      })
      socket.once('close', () => {
        signal.removeEventListener('abort', abort)
        if (open) events.closed(failure)
        else reject(failure ?? new Error('the connection was closed'))
      })
    })
  }
}

async function connector(host: string, port: number, options: TlsOptions | undefined): Promise<() => Socket> {
  if (options === undefined) {
    const { connect } = await import('node:net')
    return () => connect({ host, port, noDelay: true })
  }
  const { connect } = await import('node:tls')
  const { isIP } = await import('node:net')
  // Addresses are not sent as names; certificates are checked for them all the same.
  const servername = options.servername ?? (isIP(host) === 0 ? host : undefined)
  return () => {
    const socket = connect({
      minVersion: 'TLSv1.2',
      ...(options as object),
      host,
      port,
      ...(servername === undefined ? {} : { servername }),
    })
    return socket.setNoDelay(true)
  }
}
