import type { MillraceError } from '../../base/errors.ts'
import type { Delivery, Reader, ReadOptions } from '../../core/broker.ts'
import { DeliveredRecords } from '../delivered-records.ts'
import type { SessionContext } from '../session.ts'
import { type MessageJson, recordToJson } from './message-json.ts'
import { formatPositions, parsePositions } from './positions.ts'
import type { PeekParams } from './schemas.ts'

/** Bodies, keys and headers of one answer. */
const BYTES_MAX = 8 * 1024 * 1024
/** The answer comes after so long at the latest, with what was found until then. */
const WAIT_MS_MAX = 5000

export interface PeekPage {
  readonly messages: MessageJson[]
  /** Where the next page begins, for `after`; absent when everything was looked at. */
  readonly next?: string
}

/**
 * Reads up to `max` messages from where `from` says, across the partitions asked for, without consuming them: oldest first, and in
 * offset order per partition; those of a queue with priorities highest first.
 * @param signal ends it early, with what was found until then
 * @throws MillraceError `not_found`, `bad_request`, `bad_selector`, `offset_out_of_range`
 */
export function peek(context: SessionContext, params: PeekParams, signal?: AbortSignal): Promise<PeekPage> {
  const { broker, platform } = context
  const { source, partition, after = '', max = 10 } = params
  const begun = parsePositions(after, '`after`')
  const partitions = partition === undefined ? broker.partitions(source) : [partition]
  return new Promise((resolve, reject) => {
    const peeked: PeekedPartition[] = []
    let bytes = 0
    let failure: MillraceError | undefined
    let state: 'reading' | 'ending' | 'ended' = 'reading'
    const timer = platform.scheduler.after(WAIT_MS_MAX, end)
    signal?.addEventListener('abort', end, { once: true })

    try {
      for (const n of partitions) open(n)
    } catch (error) {
      close()
      throw error
    }
    for (const { reader } of peeked) reader!.grant(max)
    if (signal?.aborted === true) end()

    function open(n: number): void {
      const next = begun.get(n)
      const part = new PeekedPartition(n, next)
      part.reader = broker.read(source, readOptions(params, n, next), {
        deliver(delivery) {
          if (state !== 'reading') return part.leave()
          bytes += delivery.batch.length
          part.collect(delivery)
          if (part.messages.length >= max) part.isDone = true
          endWhenDone()
        },
        passed: (_, position) => part.passed(position),
        caughtUp() {
          part.caughtUp()
          endWhenDone()
        },
        closed(reason) {
          failure ??= reason
          endWhenDone()
        },
      })
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
      if (failure === undefined) resolve(pageOf(peeked, max, source.startsWith('queue:') ? firstOf : oldestOf))
      else reject(failure)
    }

    function close(): void {
      state = 'ended'
      timer.cancel()
      signal?.removeEventListener('abort', end)
      for (const { reader } of peeked) reader!.close()
    }
  })
}

function readOptions({ from = 'earliest', filter }: PeekParams, partition: number, next: number | undefined): ReadOptions {
  return { from: next === undefined ? from : { offset: next }, partition, ...(filter === undefined ? {} : { filter }) }
}

class PeekedPartition {
  readonly partition: number
  readonly messages: MessageJson[] = []
  /** What of them is in the answer. */
  taken = 0
  reader: Reader | undefined
  /** It has enough, or all that there is. */
  isDone = false
  readonly #records = new DeliveredRecords()
  #next: number | undefined
  #isAtEnd = false
  /** Messages came too late. */
  #isLeft = false

  /** @param next where it begins, if that is known */
  constructor(partition: number, next: number | undefined) {
    this.partition = partition
    this.#next = next
  }

  collect(delivery: Delivery): void {
    this.#records.begin(delivery)
    for (let record = this.#records.next(); record !== undefined; record = this.#records.next()) {
      this.messages.push(recordToJson(this.partition, this.#records.offset, record))
    }
    this.#next = delivery.last + 1
  }

  leave(): void {
    this.#isLeft = true
  }

  passed(next: number): void {
    if (!this.#isLeft) this.#next = next
  }

  caughtUp(): void {
    this.isDone = true
    this.#isAtEnd = true
  }

  /** Nothing of it is left for another page. */
  get isExhausted(): boolean {
    return this.#isAtEnd && !this.#isLeft && this.taken === this.messages.length
  }

  /** Where the next page begins, if that is known. */
  get next(): number | undefined {
    return this.messages[this.taken]?.offset ?? this.#next
  }
}

type Choice = (peeked: readonly PeekedPartition[]) => PeekedPartition | undefined

/** Takes the next message of the partition that is chosen, again and again. */
function pageOf(peeked: readonly PeekedPartition[], max: number, choose: Choice): PeekPage {
  const messages: MessageJson[] = []
  while (messages.length < max) {
    const part = choose(peeked)
    if (part === undefined) break
    messages.push(part.messages[part.taken++]!)
  }
  if (peeked.every((part) => part.isExhausted)) return { messages }
  return { messages, next: formatPositions(peeked.map((part) => [part.partition, part.next])) }
}

/** Of a topic: where the oldest message is next. */
function oldestOf(peeked: readonly PeekedPartition[]): PeekedPartition | undefined {
  let oldest: PeekedPartition | undefined
  for (const part of peeked) {
    const message = part.messages[part.taken]
    if (message !== undefined && !(message.timestampMs >= (oldest?.messages[oldest.taken]!.timestampMs ?? Infinity)))
      oldest = part
  }
  return oldest
}

/** Of a queue: the highest level. */
function firstOf(peeked: readonly PeekedPartition[]): PeekedPartition | undefined {
  return peeked.find((part) => part.taken < part.messages.length)
}
