import { type Checksum, RecordBatchBuilder } from '@millrace/wire'
import type { Body, PublishOptions } from '../api.ts'
import { checkDestination } from '../destination.ts'
import { MillraceError } from '../errors.ts'
import { encodeBody, encodeKey, messageHeaders } from '../outgoing.ts'

/** One batch of a transaction, for all of `to`. The broker finds the partition by the key of its first record. */
interface Gathered {
  readonly to: readonly string[]
  readonly builder: RecordBatchBuilder
}

/** Room for what a record has besides key, value and headers, and for the batch header. */
const RECORD_OVERHEAD_BYTES = 128

/** The messages of a transaction, in as few batches as keep their order: those of a destination, or of a key of a topic, share one. */
export class TransactionBatches {
  readonly #batches: Gathered[] = []
  readonly #open = new Map<string, Gathered>()
  readonly #crc32c: Checksum | undefined
  readonly #batchBytesMax: number

  constructor(batchBytesMax: number, crc32c: Checksum | undefined) {
    this.#batchBytesMax = batchBytesMax
    this.#crc32c = crc32c
  }

  get length(): number {
    return this.#batches.length
  }

  /** @throws MillraceError `record_too_large`, `bad_request`; TypeError for a body that cannot be sent */
  add(to: readonly string[], body: Body, options: Omit<PublishOptions, 'signal'>, nowMs: number): void {
    for (const destination of to) checkDestination(destination)
    if (to.length === 0) throw new MillraceError('bad_request', 'A message needs at least one destination.')
    if (options.delayMs !== undefined || options.deliverAt !== undefined)
      throw new MillraceError('bad_request', 'A transaction cannot schedule messages: publish them after it.')
    const value = encodeBody(body)
    const key = encodeKey(options.key)
    const timestampMs = options.timestampMs ?? nowMs
    const headers = messageHeaders(body, options, timestampMs)
    let weight = value.length + (key?.length ?? 0) + RECORD_OVERHEAD_BYTES
    for (const header of headers) weight += header.key.length * 3 + (header.value?.length ?? 0) + 10
    if (weight > this.#batchBytesMax) {
      throw new MillraceError(
        'record_too_large',
        `The message has ${weight} bytes; this broker takes at most ${this.#batchBytesMax}.`,
      )
    }
    const place = placeOf(to, key)
    let gathered = this.#open.get(place)
    if (gathered === undefined || gathered.builder.bytes + weight > this.#batchBytesMax) {
      gathered = { to, builder: new RecordBatchBuilder(undefined, this.#crc32c) }
      this.#batches.push(gathered)
      this.#open.set(place, gathered)
    }
    gathered.builder.append(timestampMs, key, value, headers)
  }

  /** One after the other, and what the `transact` frame says of them. */
  finish(): {
    readonly publishes: readonly { readonly to: readonly string[]; readonly bytes: number }[]
    readonly bytes: Uint8Array
  } {
    const parts = this.#batches.map(({ builder }) => builder.finish())
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    return { publishes: this.#batches.map(({ to }, n) => ({ to, bytes: parts[n]!.length })), bytes }
  }
}

/** Messages of one place can share a batch: a queue has one partition, a topic as many as it has keys. */
function placeOf(to: readonly string[], key: Uint8Array | null): string {
  const isKeyed = key !== null && to.some((destination) => destination.startsWith('topic:'))
  return JSON.stringify([to, isKeyed ? [...key] : null])
}
