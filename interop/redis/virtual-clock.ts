import type { RedisCommand } from '@millrace/redis'

const CLOCK = 'virtual-clock'
const START_MS = Date.UTC(2025, 0, 1)
const REAL_TIME = /redis\.call\('TIME'\)/g

/** A clock in a Redis server that stands still until it is moved, for the scripts that are sent through `onClock`. */
export class VirtualClock {
  readonly #command: RedisCommand
  #nowMs = START_MS

  private constructor(command: RedisCommand) {
    this.#command = command
  }

  static async create(command: RedisCommand): Promise<VirtualClock> {
    const clock = new VirtualClock(command)
    await clock.advance(0)
    return clock
  }

  async advance(ms: number): Promise<void> {
    this.#nowMs += ms
    const seconds = Math.floor(this.#nowMs / 1000)
    const microseconds = 1000 * (this.#nowMs - 1000 * seconds)
    await this.#command(['HSET', CLOCK, 'seconds', String(seconds), 'microseconds', String(microseconds)], CLOCK)
  }
}

/** Scripts sent through this see the clock instead of the server's. Times to live go on by the server's. */
export function onClock(command: RedisCommand): RedisCommand {
  return async (parts, key) => {
    const [name, script, ...rest] = parts
    // Hashes are those of the texts as they are: the server gets the text each time.
    if (name === 'EVALSHA') throw new Error('NOSCRIPT')
    if (name !== 'EVAL' || !script!.match(REAL_TIME)) throw new Error(`${name} does not ask for the time: ${script}`)
    return command(
      [name, script!.replaceAll(REAL_TIME, `redis.call('HMGET', '${CLOCK}', 'seconds', 'microseconds')`), ...rest],
      key,
    )
  }
}
