// hot path (packages/streams/test/throughput.mjs)
import type { Aggregation } from '../api.ts'
import type { FlowRecord } from '../flow-record.ts'
import type { OperatorNode } from '../topology/topology.ts'
import type { TimeWindows } from '../windows.ts'
import type { LaneContext } from './operator.ts'
import { added } from './table.ts'
import { windowKey } from './window-key.ts'
import { WindowedOperator } from './windowed.ts'

/** Tumbling and sliding windows. */
export class TimeWindowsOperator extends WindowedOperator {
  readonly #windows: TimeWindows
  readonly #aggregation: Aggregation<unknown, unknown>

  constructor(node: OperatorNode, lane: LaneContext, windows: TimeWindows, aggregation: Aggregation<unknown, unknown>) {
    super(node, lane, windows)
    this.#windows = windows
    this.#aggregation = aggregation
  }

  protected count(key: string, record: FlowRecord): boolean {
    const { sizeMs, everyMs } = this.#windows
    const { timestampMs } = record
    const lastMs = Math.floor(timestampMs / everyMs) * everyMs
    const windows = Math.floor((sizeMs - 1 - (timestampMs - lastMs)) / everyMs)
    let counted = false
    for (let startMs = lastMs - windows * everyMs; startMs <= lastMs; startMs += everyMs) {
      if (this.isClosed(startMs + sizeMs)) continue
      counted = true
      const stateKey = windowKey(startMs, startMs + sizeMs, key)
      const value = added(this.#aggregation, this.store.get(stateKey), record)
      this.store.set(stateKey, value)
      this.changed(key, startMs, startMs + sizeMs, value, record)
    }
    // Between windows that leave gaps (`every` longer than the size) there is nothing to be late for.
    return counted || windows < 0
  }
}
