import {
  type BeginOptions,
  type BeginResult,
  checkBeginOptions,
  type IdempotencyEntry,
  type IdempotencyStore,
  LATE_COMPLETION_MS,
  MillraceError,
  staleClaim,
} from '@millrace/client'
import { commandOf, type RedisClient, type RedisCommand } from './redis-command.ts'
import * as scripts from './scripts.ts'

/** Each has a fence counter; a cluster spreads them over its nodes. */
const BUCKETS = 256

export interface RedisIdempotencyStoreOptions {
  /** What its keys begin with. Default `millrace:`. */
  readonly prefix?: string
}

/**
 * Idempotency keys in Redis (5 or newer); times are those of its clock. It is as durable as that Redis is: with the usual
 * asynchronous replication, or without an append-only file, a failover can forget the last claims.
 */
export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #command: RedisCommand
  readonly #prefix: string

  constructor(client: RedisClient, options: RedisIdempotencyStoreOptions = {}) {
    this.#command = commandOf(client)
    this.#prefix = options.prefix ?? 'millrace:'
    if (/[{}]/.test(this.#prefix)) {
      throw new MillraceError(
        'bad_request',
        `\`prefix\` has no braces, not ${JSON.stringify(this.#prefix)}: they are for the cluster.`,
      )
    }
  }

  async begin(key: string, options: BeginOptions): Promise<BeginResult> {
    checkBeginOptions(options)
    const { leaseMs, retentionMs, fingerprint } = options
    const [entry, bucket] = this.#keys(key)
    const values = [leaseMs, retentionMs, LATE_COMPLETION_MS].map(String)
    const print = fingerprint === undefined ? '' : `=${fingerprint}`
    const [state, detail = ''] = textsOf(await scripts.begin.run(this.#command, [entry, `${bucket}fence`], [...values, print]))
    switch (state) {
      case 'started':
        return { state, fence: Number(detail) }
      case 'in-progress':
        return { state, retryAfterMs: Number(detail) }
      case 'done':
        return { state, result: bytesOf(detail) }
      case 'mismatch':
        return { state }
      default:
        throw unexpected(state)
    }
  }

  async complete(key: string, fence: number, result?: Uint8Array): Promise<void> {
    const stored = result === undefined ? '' : `=${Buffer.from(result).toString('base64')}`
    const [entry] = this.#keys(key)
    const reply = await scripts.complete.run(this.#command, [entry], [String(fence), stored])
    if (Number(reply) !== 1) throw staleClaim(key, fence)
  }

  async release(key: string, fence: number): Promise<void> {
    const [entry] = this.#keys(key)
    const reply = await scripts.release.run(this.#command, [entry], [String(fence)])
    if (Number(reply) !== 1) throw staleClaim(key, fence)
  }

  async get(key: string): Promise<IdempotencyEntry | undefined> {
    const [entry] = this.#keys(key)
    const [done, fence, result = ''] = textsOf(await scripts.get.run(this.#command, [entry], []))
    if (done === undefined) return undefined
    if (done === '1') return { state: 'done', fence: Number(fence), result: bytesOf(result) }
    return { state: 'in-progress', fence: Number(fence) }
  }

  /** Redis forgets by itself. */
  async purge(): Promise<number> {
    return 0
  }

  /** @returns the entry's key and what the keys of its bucket begin with: those are on one node of a cluster */
  #keys(key: string): readonly [entry: string, bucket: string] {
    const bucket = `${this.#prefix}{${bucketOf(key)}}:`
    return [`${bucket}key:${key}`, bucket]
  }
}

/** FNV-1a of the UTF-8 bytes. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193)
  return ((hash ^ (hash >>> 16)) >>> 0) % BUCKETS
}

function textsOf(reply: unknown): readonly (string | undefined)[] {
  if (!Array.isArray(reply)) throw unexpected(reply)
  return reply.map(String)
}

function bytesOf(stored: string): Uint8Array | undefined {
  return stored === '' ? undefined : Uint8Array.from(Buffer.from(stored.slice(1), 'base64'))
}

function unexpected(reply: unknown): MillraceError {
  return new MillraceError('unsupported', `Redis gave an answer that no script of this store gives: ${JSON.stringify(reply)}.`)
}
