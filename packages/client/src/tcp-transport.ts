import type { Dial } from './transport.ts'

/** TCP by `node:net`, which is loaded on first use: this package also has to load in a browser. */
export function tcpDial(host: string, port: number): Dial {
  return async (events, signal) => {
    const { connect } = await import('node:net')
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      let open = false
      let failure: Error | undefined
      const abort = (): void => {
        socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      }
      signal.addEventListener('abort', abort, { once: true })
      socket.once('connect', () => {
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
