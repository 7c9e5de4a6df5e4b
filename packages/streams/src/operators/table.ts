// hot path (packages/streams/test/throughput.mjs)
import type { Aggregation, TableChange } from '../api.ts'
import type { FlowRecord } from '../flow-record.ts'
import type { LaneStore } from '../state/lane-store.ts'
import type { OperatorNode } from '../topology/topology.ts'
import { type LaneContext, Operator } from './operator.ts'

/** Keeps a value for each key, and passes on each change. */
abstract class KeyedState extends Operator {
  readonly #store: LaneStore

  constructor(node: OperatorNode, lane: LaneContext) {
    super(node, lane)
    this.#store = lane.store(node.name)
  }

  protected process(record: FlowRecord): void {
    const key = this.keyOf(record)
    const previous = this.#store.get(key)
    const value = this.next(previous, record)
    this.#store.set(key, value)
    const change: TableChange<unknown> = { key, value, previous }
    this.emit(record.with(change), 0)
  }

  protected abstract next(previous: unknown, record: FlowRecord): unknown
}

/** The last value of each key. */
export class TableOperator extends KeyedState {
  protected next(_previous: unknown, record: FlowRecord): unknown {
    return record.value
  }
}

export class AggregateOperator extends KeyedState {
  readonly #aggregation: Aggregation<unknown, unknown>

  constructor(node: OperatorNode, lane: LaneContext, aggregation: Aggregation<unknown, unknown>) {
    super(node, lane)
    this.#aggregation = aggregation
  }

  protected next(previous: unknown, record: FlowRecord): unknown {
    return added(this.#aggregation, previous, record)
  }
}

/** @param before undefined: there was none. @throws TypeError */
export function added(aggregation: Aggregation<unknown, unknown>, before: unknown, record: FlowRecord): unknown {
  const value = aggregation.add(before === undefined ? aggregation.initial() : before, record.value, record)
  if (value !== undefined) return value
  throw new TypeError('it returned undefined, which no state can be')
}
