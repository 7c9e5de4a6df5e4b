import { createServer } from 'node:net'

/**
 * Below the ports that a system gives to outgoing connections (Linux: from 32768 on, others: from 49152 on). One of
 * those may be taken while a broker starts again: also by a client that connects to it, whose own port can be the very
 * one that it looks for.
 */
const PORTS_FROM = 16_384
const PORTS_TO = 32_768

/** A port that nobody listens on now, and that no outgoing connection takes. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS_FROM + Math.floor(Math.random() * (PORTS_TO - PORTS_FROM))
    if (await isFree(port)) return port
  }
}

/** @throws when there are no ports at all */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
