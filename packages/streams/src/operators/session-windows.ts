// hot path (packages/streams/test/throughput.mjs)
import type { MergingAggregation } from '../api.ts'
import type { FlowRecord } from '../flow-record.ts'
import type { OperatorNode } from '../topology/topology.ts'
import type { SessionWindows } from '../windows.ts'
import type { LaneContext } from './operator.ts'
import { added } from './table.ts'
import { parseWindowKey, windowKey } from './window-key.ts'
import { WindowedOperator } from './windowed.ts'

/** Sessions: a record makes a window of its own, or joins those of its key that it overlaps. */
export class SessionWindowsOperator extends WindowedOperator {
  readonly #gapMs: number
  readonly #aggregation: MergingAggregation<unknown, unknown>
  /** State keys of the open sessions of each key. */
  readonly #sessions = new Map<string, Set<string>>()

  constructor(node: OperatorNode, lane: LaneContext, windows: SessionWindows, aggregation: MergingAggregation<unknown, unknown>) {
    super(node, lane, windows)
    this.#gapMs = windows.gapMs
    this.#aggregation = aggregation
  }

  override added(stateKey: string): void {
    super.added(stateKey)
    const { key } = parseWindowKey(stateKey)
    const sessions = this.#sessions.get(key)
    if (sessions === undefined) this.#sessions.set(key, new Set([stateKey]))
    else sessions.add(stateKey)
  }

  override removed(stateKey: string): void {
    const { key } = parseWindowKey(stateKey)
    const sessions = this.#sessions.get(key)
    sessions?.delete(stateKey)
    if (sessions?.size === 0) this.#sessions.delete(key)
  }

  protected count(key: string, record: FlowRecord): boolean {
    let startMs = record.timestampMs
    let endMs = startMs + this.#gapMs
    if (this.isClosed(endMs)) return false
    const joined = this.#overlapping(key, startMs, endMs)
    let value: unknown
    for (const { stateKey, ...window } of joined) {
      const its = this.store.get(stateKey)
      value = value === undefined ? its : this.#aggregation.merge(value, its, record)
      startMs = Math.min(startMs, window.startMs)
      endMs = Math.max(endMs, window.endMs)
    }
    value = added(this.#aggregation, value, record)
    const stateKey = windowKey(startMs, endMs, key)
    for (const session of joined) if (session.stateKey !== stateKey) this.store.set(session.stateKey, undefined)
    this.store.set(stateKey, value)
    this.changed(key, startMs, endMs, value, record)
    return true
  }

  /** By their start. */
  #overlapping(key: string, startMs: number, endMs: number): { stateKey: string; startMs: number; endMs: number }[] {
    const found = []
    for (const stateKey of this.#sessions.get(key) ?? []) {
      const session = parseWindowKey(stateKey)
      if (session.startMs < endMs && session.endMs > startMs) found.push({ ...session, stateKey })
    }
    return found.toSorted((a, b) => a.startMs - b.startMs)
  }
}
