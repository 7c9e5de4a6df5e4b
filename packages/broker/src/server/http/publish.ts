import { type Checksum, placesOfRecords, RecordBatchBuilder } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Destination } from '../../core/broker.ts'
import { headersWithExpiry, type NewMessage } from './publish-request.ts'

export interface Receipt {
  readonly partition: number
  /** -1 when it is not known: of a scheduled message, and of a duplicate of one whose place is not known any more. */
  readonly offset: number
  /** Id of a scheduled message. */
  readonly scheduled?: number
  /** It was published before, and that is where. */
  readonly duplicate?: true
}

/** Room that a record takes beyond its bytes: lengths, deltas, and the header that says when it expires. */
const RECORD_OVERHEAD_BYTES = 64

/** Publishes messages as few batches, one or more per partition. */
export class HttpPublisher {
  readonly #broker: Broker
  readonly #nowMs: () => number
  readonly #builder: RecordBatchBuilder
  #nextPartition = 0

  constructor(broker: Broker, nowMs: () => number, checksum: Checksum) {
    this.#broker = broker
    this.#nowMs = nowMs
    this.#builder = new RecordBatchBuilder(64 * 1024, checksum)
  }

  /**
   * Publishes in the open commit; the receipts hold once `broker.ticket()` is committed.
   * @param partition for all of them, or undefined to go by key
   * @param dueMs when they are to be published, milliseconds since 1970; undefined: now
   * @throws MillraceError as `Destination.publish`; then some messages of the batch may have been published
   */
  publish(destination: Destination, messages: readonly NewMessage[], partition: number | undefined, dueMs?: number): Receipt[] {
    const nowMs = this.#nowMs()
    const receipts: Receipt[] = Array.from({ length: messages.length })
    for (const [target, members] of this.#byPartition(destination, messages, partition)) {
      let from = 0
      while (from < members.length) {
        const to = this.#fill(messages, members, from, nowMs, dueMs ?? 0)
        const batch = this.#builder.finish()
        if (dueMs !== undefined && dueMs > nowMs) {
          const id = destination.publishLater(target, batch, dueMs)
          for (let n = from; n < to; n++) receipts[members[n]!] = { partition: target, offset: -1, scheduled: id + n - from }
          from = to
          continue
        }
        const base = destination.publish(target, batch)
        const { duplicates, placed = [{ position: 0, partition: target, offset: base }] } = destination
        for (const [n, receipt] of placesOfRecords(to - from, placed, duplicates ?? []).entries())
          receipts[members[from + n]!] = receipt
        from = to
      }
    }
    return receipts
  }

  /** One message as a batch of its own. */
  batchOf(message: NewMessage): Uint8Array {
    this.#fill([message], [0], 0, this.#nowMs(), 0)
    return this.#builder.finish().slice()
  }

  /** Indexes of the messages that go to each partition, in order. */
  #byPartition(destination: Destination, messages: readonly NewMessage[], partition: number | undefined): Map<number, number[]> {
    if (partition !== undefined && partition >= destination.partitions) {
      throw new MillraceError(
        'bad_request',
        `${destination.kind} ${destination.name} has no partition ${partition}; it has ${destination.partitions}.`,
      )
    }
    const targets = new Map<number, number[]>()
    // Messages without a key stay together: one batch is cheaper than many, and the next request goes elsewhere.
    const keyless = this.#nextPartition++ % destination.partitions
    for (let n = 0; n < messages.length; n++) {
      const keyed = partition ?? destination.partitionFor(messages[n]!.key)
      const target = keyed < 0 ? keyless : keyed
      const members = targets.get(target)
      if (members === undefined) targets.set(target, [n])
      else members.push(n)
    }
    return targets
  }

  /** Fills the builder from `members[from]` on, up to the batch limit. @param dueMs 0: now. @returns one past the last that fit */
  #fill(messages: readonly NewMessage[], members: readonly number[], from: number, nowMs: number, dueMs: number): number {
    const bytesMax = this.#broker.limits.batchBytesMax
    let to = from
    for (; to < members.length; to++) {
      const message = messages[members[to]!]!
      if (to > from && this.#builder.bytes + sizeOf(message) > bytesMax) break
      const timestampMs = message.timestampMs ?? nowMs
      this.#builder.append(timestampMs, message.key, message.value, headersWithExpiry(message, Math.max(timestampMs, dueMs)))
    }
    return to
  }
}

function sizeOf({ key, value, headers }: NewMessage): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) bytes += RECORD_OVERHEAD_BYTES + header.key.length * 3 + (header.value?.length ?? 0)
  return bytes
}
