import { type Checksum, type JsonObject, placesOfRecords, RecordBatchBuilder, type RecordPlace } from '@millrace/wire'
import type { Body, PublishOptions, Receipt, TransactionMessage } from '../api.ts'
import { checkDestination } from '../destination.ts'
import { MillraceError } from '../errors.ts'
import { encodeBody, encodeKey, messageHeaders, tooLarge, weightOf } from '../outgoing.ts'
import { tombstone } from './tombstone.ts'
import type { PartitionOptions } from './types.ts'

/** Of a message, as far as they are its batch's. */
export interface BatchOptions extends PartitionOptions {
  /** Default true: the broker creates destinations that do not exist. */
  readonly create?: boolean
  /** It is left out when its one destination does not exist. */
  readonly optional?: boolean
}

/** One batch of a transaction, for all of `to`. The broker finds the partition by the key of its first record. */
interface Gathered {
  readonly to: readonly string[]
  /** Undefined: by the key of its first record. */
  readonly partition: number | undefined
  readonly create: boolean
  readonly optional: boolean
  readonly builder: RecordBatchBuilder
  messages: number
  /** Of its messages, for each destination, once it is committed. */
  receipts: readonly (readonly Receipt[])[] | undefined
}

class GatheredMessage implements TransactionMessage {
  readonly #batch: Gathered
  readonly #position: number

  constructor(batch: Gathered) {
    this.#batch = batch
    this.#position = batch.messages++
  }

  get receipts(): readonly Receipt[] | undefined {
    return this.#batch.receipts?.map((receipts) => receipts[this.#position]!)
  }
}

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
  add(
    to: readonly string[],
    body: Body | typeof tombstone,
    options: Omit<PublishOptions, 'signal'> & BatchOptions,
    nowMs: number,
  ): TransactionMessage {
    for (const destination of to) checkDestination(destination)
    if (to.length === 0) throw new MillraceError('bad_request', 'A message needs at least one destination.')
    if (options.delayMs !== undefined || options.deliverAt !== undefined)
      throw new MillraceError('bad_request', 'A transaction cannot schedule messages: publish them after it.')
    const { partition, create = true, optional = false } = options
    checkPartition(partition)
    const value = body === tombstone ? null : encodeBody(body)
    const key = encodeKey(options.key)
    const timestampMs = options.timestampMs ?? nowMs
    const headers = messageHeaders(body === tombstone ? '' : body, options, timestampMs)
    const weight = weightOf(value, key, headers)
    if (weight > this.#batchBytesMax) {
      throw new MillraceError('record_too_large', tooLarge(weight, this.#batchBytesMax))
    }
    const place = partition === undefined ? placeOf(to, key) : `${partition} ${to[0]!}`
    let gathered = this.#open.get(place)
    const isOfTheSame = gathered?.create === create && gathered.optional === optional
    if (gathered === undefined || !isOfTheSame || gathered.builder.bytes + weight > this.#batchBytesMax) {
      const builder = new RecordBatchBuilder(undefined, this.#crc32c)
      gathered = { to, partition, create, optional, builder, messages: 0, receipts: undefined }
      this.#batches.push(gathered)
      this.#open.set(place, gathered)
    }
    gathered.builder.append(timestampMs, key, value, headers)
    return new GatheredMessage(gathered)
  }

  /** @param result of a `transacted` frame */
  committed(result: JsonObject): void {
    const { places, placed } = result as { readonly places: Numbers; readonly placed?: Numbers }
    for (const [n, place] of places.entries()) {
      const batch = this.#batches[n]!
      batch.receipts = place.map(([partition, baseOffset, ...duplicates], m) => {
        const runs = recordPlaces(placed?.[n]?.[m] ?? [])
        const side = [{ position: 0, partition: partition!, offset: baseOffset! }]
        return placesOfRecords(batch.messages, runs.length > 0 ? runs : side, recordPlaces(duplicates))
      })
    }
  }

  /** One after the other, and what the `transact` frame says of them. */
  finish(): {
    readonly publishes: readonly object[]
    readonly bytes: Uint8Array
  } {
    const parts = this.#batches.map(({ builder }) => builder.finish())
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    const publishes = this.#batches.map(({ to, partition, create, optional }, n) => ({
      to,
      ...(partition === undefined ? {} : { partition }),
      ...(create ? {} : { create }),
      ...(optional ? { optional } : {}),
      bytes: parts[n]!.length,
    }))
    return { publishes, bytes }
  }
}

/** For each publish and destination. */
type Numbers = readonly (readonly (readonly number[])[])[]

/** @param threes position in the batch, partition and offset */
function recordPlaces(threes: readonly number[]): RecordPlace[] {
  const places: RecordPlace[] = []
  for (let n = 0; n + 2 < threes.length; n += 3)
    places.push({ position: threes[n]!, partition: threes[n + 1]!, offset: threes[n + 2]! })
  return places
}

function checkPartition(partition: number | undefined): void {
  if (partition === undefined || (Number.isSafeInteger(partition) && partition >= 0)) return
  throw new MillraceError('bad_request', `A partition is a number from 0 on, not ${partition}.`)
}

/** Messages of one place can share a batch: a queue has one partition, a topic as many as it has keys. */
function placeOf(to: readonly string[], key: Uint8Array | null): string {
  const isKeyed = key !== null && to.some((destination) => destination.startsWith('topic:'))
  return JSON.stringify([to, isKeyed ? [...key] : null])
}
