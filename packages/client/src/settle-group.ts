// hot path (bench/src/native.ts)
import { beginSettle, type FrameWriter, SETTLE_RANGES_MAX, SettleOutcome, writeSettleRange } from '@millrace/wire'
import type { HeldMessage, SettleKind, SettleWaiter } from './received-message.ts'

/** Messages of one subscriber that get the same outcome in one turn: one frame, with as few ranges as possible. */
export class SettleGroup {
  readonly consumer: number
  readonly kind: SettleKind
  readonly options: object | undefined
  readonly messages: HeldMessage[] = []
  /** Beside `messages`; sparse. */
  readonly waiters: (SettleWaiter | undefined)[] = []
  /** Called when its outcome is known. */
  readonly whenDone: (() => void)[] = []
  #ranges: Range[] = []
  #sorted = true

  constructor(consumer: number, kind: SettleKind, options: object | undefined) {
    this.consumer = consumer
    this.kind = kind
    this.options = options
  }

  get full(): boolean {
    return this.#ranges.length === SETTLE_RANGES_MAX
  }

  add(message: HeldMessage, waiter: SettleWaiter | undefined): void {
    this.messages.push(message)
    this.waiters.push(waiter)
    const { partition, offset, attempt, turn } = message
    const last = this.#ranges[this.#ranges.length - 1]
    if (last !== undefined) {
      // Only what shares a lease shares a range: a range is settled or stale as a whole.
      if (last.last + 1 === offset && last.partition === partition && last.attempt === attempt && last.turn === turn) {
        last.last = offset
        return
      }
      if (last.partition > partition || (last.partition === partition && last.first > offset)) this.#sorted = false
    }
    this.#ranges.push({ partition, first: offset, last: offset, attempt, turn })
  }

  write(writer: FrameWriter): void {
    if (!this.#sorted) this.#merge()
    const ranges = this.#ranges
    beginSettle(writer, this.consumer, SettleOutcome[this.kind], ranges.length)
    for (const range of ranges) writeSettleRange(writer, range.partition, range.first, range.last, range.attempt)
    if (this.options !== undefined) writer.json(this.options)
    writer.end()
  }

  /** Handlers that run side by side finish out of order. */
  #merge(): void {
    const sorted = this.#ranges.toSorted((a, b) => a.partition - b.partition || a.first - b.first)
    const merged: Range[] = []
    for (const range of sorted) {
      const last = merged[merged.length - 1]
      const joins =
        last !== undefined &&
        last.last + 1 === range.first &&
        last.partition === range.partition &&
        last.attempt === range.attempt &&
        last.turn === range.turn
      if (joins) last.last = range.last
      else merged.push(range)
    }
    this.#ranges = merged
  }

  /** Whether the message lies in one of the ranges whose numbers are given. */
  inRanges(message: HeldMessage, numbers: readonly number[]): boolean {
    return numbers.some((number) => {
      const range = this.#ranges[number]
      if (range === undefined) return false
      return message.partition === range.partition && message.offset >= range.first && message.offset <= range.last
    })
  }
}

interface Range {
  readonly partition: number
  readonly first: number
  last: number
  readonly attempt: number
  readonly turn: number
}
