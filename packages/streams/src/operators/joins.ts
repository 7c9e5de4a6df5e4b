// hot path (packages/streams/test/throughput.mjs)
import { FlowRecord } from '../flow-record.ts'
import type { KeyIndex, LaneStore } from '../state/lane-store.ts'
import type { OperatorNode } from '../topology/topology.ts'
import { ClosingTimes } from './closing-times.ts'
import { type LaneContext, Operator } from './operator.ts'

/** A stream with a table of the same lane. */
export class TableJoinOperator extends Operator {
  readonly #table: LaneStore
  readonly #isLeft: boolean
  readonly #combine: (value: unknown, other: unknown, record: FlowRecord) => unknown

  constructor(
    node: OperatorNode,
    lane: LaneContext,
    table: string,
    isLeft: boolean,
    combine: (value: unknown, other: unknown, record: FlowRecord) => unknown,
  ) {
    super(node, lane)
    this.#table = lane.store(table)
    this.#isLeft = isLeft
    this.#combine = combine
  }

  protected process(record: FlowRecord): void {
    const other = this.#table.get(this.keyOf(record))
    if (other === undefined && !this.#isLeft) return
    this.run()
    this.emit(record.with(this.#combine(record.value, other, record)), 0)
  }
}

/** One record that waits for those of the other side: `SIDE:TIME:NUMBER:KEY` in the store. */
interface Waiting {
  readonly side: number
  readonly timestampMs: number
  readonly number: number
  readonly key: string
}

/** Two streams: each record with those of the other that are near in time. Output 1 gets what is late. */
export class StreamJoinOperator extends Operator implements KeyIndex {
  readonly #store: LaneStore
  readonly #closings: ClosingTimes
  readonly #withinMs: number
  readonly #graceMs: number
  readonly #combine: (value: unknown, other: unknown) => unknown
  /** State keys of what waits, by side and key. */
  readonly #waiting = [new Map<string, Set<string>>(), new Map<string, Set<string>>()] as const
  #next = 0

  constructor(
    node: OperatorNode,
    lane: LaneContext,
    combine: (value: unknown, other: unknown) => unknown,
    { withinMs, graceMs }: { readonly withinMs: number; readonly graceMs: number },
  ) {
    super(node, lane)
    this.#store = lane.store(node.name)
    this.#closings = new ClosingTimes(lane.undo)
    this.#combine = combine
    this.#withinMs = withinMs
    this.#graceMs = graceMs
  }

  override restored(): void {
    this.#store.indexBy(this)
  }

  added(stateKey: string): void {
    const { side, timestampMs, number, key } = parse(stateKey)
    this.#closings.add(timestampMs + this.#withinMs + this.#graceMs + 1, stateKey)
    this.#next = Math.max(this.#next, number + 1)
    const waiting = this.#waiting[side as 0 | 1]
    const keys = waiting.get(key)
    if (keys === undefined) waiting.set(key, new Set([stateKey]))
    else keys.add(stateKey)
  }

  removed(stateKey: string): void {
    const { side, key } = parse(stateKey)
    const waiting = this.#waiting[side as 0 | 1]
    const keys = waiting.get(key)
    keys?.delete(stateKey)
    if (keys?.size === 0) waiting.delete(key)
  }

  /** @param side 0: of this stream; 1: of the other */
  protected process(record: FlowRecord, side: number): void {
    const key = this.keyOf(record)
    const { timestampMs } = record
    const nowMs = this.lane.times.advance(this.node.name, timestampMs)
    for (let due = this.#closings.takeDue(nowMs); due !== undefined; due = this.#closings.takeDue(nowMs)) {
      this.#store.set(due, undefined)
    }
    if (timestampMs + this.#graceMs < nowMs) {
      this.late++
      return
    }
    this.#store.set(`${side}:${timestampMs}:${this.#next++}:${key}`, record.value)
    for (const stateKey of this.#waiting[side === 0 ? 1 : 0].get(key) ?? []) {
      const other = parse(stateKey)
      if (Math.abs(other.timestampMs - timestampMs) > this.#withinMs) continue
      const its = this.#store.get(stateKey)
      this.run()
      const value = side === 0 ? this.#combine(record.value, its) : this.#combine(its, record.value)
      this.emit(new FlowRecord(value, key, Math.max(timestampMs, other.timestampMs), record.origin), 0)
    }
  }
}

function parse(stateKey: string): Waiting {
  const [side, timestampMs, number] = stateKey.split(':', 3) as [string, string, string]
  const key = stateKey.slice(side.length + timestampMs.length + number.length + 3)
  return { side: Number(side), timestampMs: Number(timestampMs), number: Number(number), key }
}
