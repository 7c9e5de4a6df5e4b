/** Sends one command to the server that has `key`. @returns the reply as text, numbers and arrays of them */
export type RedisCommand = (parts: readonly string[], key: string) => Promise<unknown>

/** A client or cluster of `ioredis`. */
export interface IoredisLike {
  call(command: string, ...parameters: string[]): Promise<unknown>
}

/** A client or pool of `redis` (node-redis). */
export interface NodeRedisLike {
  sendCommand(parts: string[]): Promise<unknown>
}

export type RedisClient = IoredisLike | NodeRedisLike | RedisCommand

export function commandOf(client: RedisClient): RedisCommand {
  if (typeof client === 'function') return client
  // Clients of ioredis have a `sendCommand` as well, which takes something else.
  if ('call' in client) return ([command, ...parameters]) => client.call(command!, ...parameters)
  return (parts) => client.sendCommand([...parts])
}
