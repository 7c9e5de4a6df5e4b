/** Clients of both libraries that live through restarts of the server. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'

const RECONNECT_MS = 5

export function patientIoredis(port: number): Redis {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => RECONNECT_MS, maxRetriesPerRequest: null })
  // The server is away for a moment; calls wait for it.
  client.on('error', () => {})
  return client
}

export async function patientNodeRedis(port: number): Promise<ReturnType<typeof createClient>> {
  const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: RECONNECT_MS } })
  client.on('error', () => {})
  await client.connect()
  return client as ReturnType<typeof createClient>
}
