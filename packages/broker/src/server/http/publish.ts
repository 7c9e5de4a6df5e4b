import { type Checksum, RecordBatchBuilder } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Destination } from '../../core/broker.ts'
import type { NewMessage } from './publish-request.ts'

export interface Receipt {
  readonly partition: number
  readonly offset: number
}

/** Room that a record takes beyond its bytes: lengths, deltas. */
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
   * @throws MillraceError as `Destination.publish`; then some messages of the batch may have been published
   */
  publish(destination: Destination, messages: readonly NewMessage[], partition: number | undefined): Receipt[] {
    const nowMs = this.#nowMs()
    const receipts: Receipt[] = Array.from({ length: messages.length })
    for (const [target, members] of this.#byPartition(destination, messages, partition)) {
      let from = 0
      while (from < members.length) {
        const to = this.#fill(messages, members, from, nowMs)
        const base = destination.publish(target, this.#builder.finish())
        for (let n = from; n < to; n++) receipts[members[n]!] = { partition: target, offset: base + n - from }
        from = to
      }
    }
    return receipts
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

  /** Fills the builder from `members[from]` on, up to the batch limit. @returns one past the last that fit */
  #fill(messages: readonly NewMessage[], members: readonly number[], from: number, nowMs: number): number {
    const bytesMax = this.#broker.limits.batchBytesMax
    let to = from
    for (; to < members.length; to++) {
      const message = messages[members[to]!]!
      if (to > from && this.#builder.bytes + sizeOf(message) > bytesMax) break
      this.#builder.append(message.timestampMs ?? nowMs, message.key, message.value, message.headers)
    }
    return to
  }
}

function sizeOf({ key, value, headers }: NewMessage): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) bytes += RECORD_OVERHEAD_BYTES + header.key.length * 3 + (header.value?.length ?? 0)
  return bytes
}
