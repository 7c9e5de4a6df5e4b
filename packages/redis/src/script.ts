import { createHash } from 'node:crypto'
import type { RedisCommand } from './redis-command.ts'

/** A Lua script. Runs by its hash; the server gets the text when it does not know it. */
export class Script {
  readonly #text: string
  readonly #hash: string

  constructor(text: string) {
    this.#text = text
    this.#hash = createHash('sha1').update(text).digest('hex')
  }

  async run(command: RedisCommand, keys: readonly [string, ...string[]], values: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...values]
    try {
      return await command(['EVALSHA', this.#hash, ...rest], keys[0])
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error
      return command(['EVAL', this.#text, ...rest], keys[0])
    }
  }
}
