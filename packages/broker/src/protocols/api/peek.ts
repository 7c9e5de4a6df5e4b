import { RecordReader } from '@millrace/wire'
import type { MillraceError } from '../../base/errors.ts'
import type { Delivery, Reader } from '../../core/broker.ts'
import type { SessionContext } from '../session.ts'
import { type MessageJson, recordToJson } from './message-json.ts'
import type { PeekParams } from './schemas.ts'

/** Bodies, keys and headers of one answer. */
const BYTES_MAX = 8 * 1024 * 1024
/** A partition that cannot be read in this time is left out of the answer rather than holding up the caller. */
const WAIT_MS_MAX = 5000

/**
 * Reads up to `max` messages from where `from` says, across the partitions asked for, without consuming them: oldest first, and in
 * offset order per partition; those of a queue with priorities highest first.
 * @throws MillraceError `not_found`, `bad_request`, `offset_out_of_range`
 */
export function peek(context: SessionContext, params: PeekParams): Promise<MessageJson[]> {
  const { broker, platform } = context
  const { source, partition, from = 'earliest', max = 10 } = params
  const partitions = partition === undefined ? broker.partitions(source) : [partition]
  return new Promise((resolve, reject) => {
    const peeked: Peeked[] = []
    let bytes = 0
    let failure: MillraceError | undefined
    let state: 'reading' | 'ending' | 'ended' = 'reading'
    const timer = platform.scheduler.after(WAIT_MS_MAX, end)

    try {
      for (const n of partitions) open(n)
    } catch (error) {
      close()
      throw error
    }
    for (const { reader } of peeked) reader.grant(max)

    function open(n: number): void {
      const messages: MessageJson[] = []
      const reader = broker.read(
        source,
        { from, partition: n },
        {
          deliver(delivery) {
            if (state !== 'reading') return
            bytes += delivery.batch.length
            collect(delivery, messages, max)
            if (messages.length >= max) part.isDone = true
            endWhenDone()
          },
          caughtUp() {
            part.isDone = true
            endWhenDone()
          },
          closed(reason) {
            failure ??= reason
            endWhenDone()
          },
        },
      )
      const part: Peeked = { reader, messages, isDone: false }
      peeked.push(part)
    }

    function endWhenDone(): void {
      const isDone = failure !== undefined || bytes >= BYTES_MAX || peeked.every((part) => part.isDone)
      if (!isDone || state !== 'reading') return
      state = 'ending'
      // Readers must not be closed from within a delivery.
      platform.scheduler.endOfTurn(end)
    }

    function end(): void {
      if (state === 'ended') return
      close()
      if (failure === undefined) resolve(source.startsWith('queue:') ? inTurn(peeked, max) : merge(peeked, max))
      else reject(failure)
    }

    function close(): void {
      state = 'ended'
      timer.cancel()
      for (const { reader } of peeked) reader.close()
    }
  })
}

interface Peeked {
  readonly reader: Reader
  readonly messages: readonly MessageJson[]
  /** It has enough, or all that there is. */
  isDone: boolean
}

/** One partition after the other. */
function inTurn(peeked: readonly Peeked[], max: number): MessageJson[] {
  return peeked.flatMap(({ messages }) => messages).slice(0, max)
}

/** Takes the oldest of the partitions' next messages again and again. */
function merge(peeked: readonly Peeked[], max: number): MessageJson[] {
  const merged: MessageJson[] = []
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

function collect(delivery: Delivery, messages: MessageJson[], max: number): void {
  const records = new RecordReader(delivery.batch)
  while (messages.length < max && records.next()) {
    const offset = delivery.baseOffset + records.offsetDelta
    if (offset < delivery.first) continue
    if (offset > delivery.last) return
    messages.push(recordToJson(delivery.partition, offset, records))
  }
}
