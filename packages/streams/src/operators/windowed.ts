// hot path (packages/streams/test/throughput.mjs)
import type { WindowResult } from '../api.ts'
import { FlowRecord, type Origin } from '../flow-record.ts'
import type { KeyIndex, LaneStore } from '../state/lane-store.ts'
import type { OperatorNode } from '../topology/topology.ts'
import { ClosingTimes } from './closing-times.ts'
import { type LaneContext, Operator } from './operator.ts'
import { parseWindowKey } from './window-key.ts'

/** Outputs of an operator with windows. */
export const windowOutputs = { changes: 0, final: 1, late: 2 } as const

/** A value for each key and window; windows close as event time goes on. */
export abstract class WindowedOperator extends Operator implements KeyIndex {
  protected readonly store: LaneStore
  readonly #closings: ClosingTimes
  readonly #graceMs: number
  readonly #idleMs: number

  constructor(node: OperatorNode, lane: LaneContext, { graceMs, idleMs }: { readonly graceMs: number; readonly idleMs: number }) {
    super(node, lane)
    this.store = lane.store(node.name)
    this.#closings = new ClosingTimes(lane.undo)
    this.#graceMs = graceMs
    this.#idleMs = idleMs
  }

  override get idleMs(): number {
    return this.#closings.isEmpty ? Infinity : this.#idleMs
  }

  override idle(byMs: number): void {
    const origin = { topic: '', partition: this.lane.partition, offset: -1, headers: {} }
    this.#advance(this.lane.times.of(this.node.name) + byMs, origin)
  }

  override restored(): void {
    this.store.indexBy(this)
  }

  // ---- KeyIndex -------------------------------------------------------------------------------------------------------

  added(stateKey: string): void {
    this.#closings.add(parseWindowKey(stateKey).endMs + this.#graceMs, stateKey)
  }

  removed(_stateKey: string): void {}

  // ---- for the kinds of windows ---------------------------------------------------------------------------------------

  protected process(record: FlowRecord): void {
    const key = this.keyOf(record)
    this.#advance(record.timestampMs, record.origin)
    this.run()
    if (this.count(key, record)) return
    this.late++
    this.emit(record, windowOutputs.late)
  }

  /** Counts the record in those of its windows that are open. @returns whether there was one */
  protected abstract count(key: string, record: FlowRecord): boolean

  protected isClosed(endMs: number): boolean {
    return endMs + this.#graceMs <= this.lane.times.of(this.node.name)
  }

  protected changed(key: string, startMs: number, endMs: number, value: unknown, record: FlowRecord): void {
    const result: WindowResult<unknown> = { key, window: { startMs, endMs }, value }
    this.emit(record.with(result), windowOutputs.changes)
    this.run()
  }

  #advance(toMs: number, origin: Origin): void {
    const nowMs = this.lane.times.advance(this.node.name, toMs)
    for (let stateKey = this.#closings.takeDue(nowMs); stateKey !== undefined; stateKey = this.#closings.takeDue(nowMs)) {
      const value = this.store.get(stateKey)
      // Part of another session by now.
      if (value === undefined) continue
      this.store.set(stateKey, undefined)
      const { key, startMs, endMs } = parseWindowKey(stateKey)
      const result: WindowResult<unknown> = { key, window: { startMs, endMs }, value }
      const record = new FlowRecord(result, key, endMs - 1, origin)
      this.lane.guarded(record, () => this.emit(record, windowOutputs.final))
    }
  }
}
