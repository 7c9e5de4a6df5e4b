import { bytesToJson, type JsonBytes, RecordReader } from '@millrace/wire'
import type { MillraceError } from '../../base/errors.ts'
import type { Broker, Delivery, Reader } from '../../core/broker.ts'
import type { SessionContext } from '../session.ts'
import type { PeekParams, StoredMessageJson } from './schemas.ts'

/** Bodies, keys and headers of one answer. */
const BYTES_MAX = 8 * 1024 * 1024
/** A partition that cannot be read in this time is left out of the answer rather than holding up the caller. */
const WAIT_MS_MAX = 5000
const AT_END_POLL_MS = 2

/**
 * Reads up to `max` messages from where `from` says, across the partitions asked for, without consuming them: oldest first, and in
 * offset order per partition.
 * @throws MillraceError `not_found`, `bad_request`, `offset_out_of_range`
 */
export function peek(context: SessionContext, params: PeekParams): Promise<StoredMessageJson[]> {
  const { broker, platform } = context
  const { source, partition, from = 'earliest', max = 10 } = params
  const partitions = partition === undefined ? Array.from({ length: partitionsOf(broker, source) }, (_, n) => n) : [partition]
  return new Promise((resolve, reject) => {
    const deadlineMs = platform.clock.monotonicMs() + WAIT_MS_MAX
    const peeked: Peeked[] = []
    let bytes = 0
    let failure: MillraceError | undefined
    let finished = false

    try {
      for (const n of partitions) open(n)
    } catch (error) {
      close()
      throw error
    }
    poll()

    function open(n: number): void {
      const messages: StoredMessageJson[] = []
      const reader = broker.read(
        source,
        { from, partition: n },
        {
          deliver(delivery) {
            if (finished) return
            bytes += delivery.batch.length
            collect(delivery, messages, max)
          },
          closed(reason) {
            failure ??= reason
          },
        },
      )
      peeked.push({ reader, messages })
      reader.grant(max)
    }

    // Deliveries may come during this turn or from the disk later; there is nothing to do in between.
    function poll(): void {
      if (failure !== undefined) {
        close()
        reject(failure)
        return
      }
      const done = peeked.every(({ reader, messages }) => messages.length >= max || reader.atEnd)
      if (done || bytes >= BYTES_MAX || platform.clock.monotonicMs() >= deadlineMs) {
        close()
        resolve(merge(peeked, max))
      } else platform.scheduler.after(AT_END_POLL_MS, poll)
    }

    function close(): void {
      finished = true
      for (const { reader } of peeked) reader.close()
    }
  })
}

interface Peeked {
  readonly reader: Reader
  readonly messages: readonly StoredMessageJson[]
}

function partitionsOf(broker: Broker, source: string): number {
  return source.startsWith('topic:') ? broker.topic(source.slice('topic:'.length)).partitions : 1
}

/** Takes the oldest of the partitions' next messages again and again. */
function merge(peeked: readonly Peeked[], max: number): StoredMessageJson[] {
  const merged: StoredMessageJson[] = []
  const next = peeked.map(() => 0)
  while (merged.length < max) {
    let oldest = -1
    for (let n = 0; n < peeked.length; n++) {
      const message = peeked[n]!.messages[next[n]!]
      if (message === undefined) continue
      if (oldest < 0 || message.timestampMs < peeked[oldest]!.messages[next[oldest]!]!.timestampMs) oldest = n
    }
    if (oldest < 0) break
    merged.push(peeked[oldest]!.messages[next[oldest]!++]!)
  }
  return merged
}

function collect(delivery: Delivery, messages: StoredMessageJson[], max: number): void {
  const records = new RecordReader(delivery.batch)
  while (messages.length < max && records.next()) {
    const offset = delivery.baseOffset + records.offsetDelta
    if (offset < delivery.first) continue
    if (offset > delivery.last) return
    messages.push(storedMessageJson(delivery.partition, offset, records))
  }
}

/** The record that `reader` stands on. */
export function storedMessageJson(partition: number, offset: number, reader: RecordReader): StoredMessageJson {
  // No prototype: header names are the sender's.
  const headers = Object.create(null) as Record<string, JsonBytes>
  for (const header of reader.headers) headers[header.key] = bytesToJson(header.value)
  return {
    partition,
    offset,
    timestampMs: reader.timestampMs,
    key: bytesToJson(reader.key),
    value: bytesToJson(reader.value),
    headers,
  }
}
