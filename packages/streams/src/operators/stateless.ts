// hot path (packages/streams/test/throughput.mjs)
import { topicAddress } from '@millrace/client'
import type { FlowRecord } from '../flow-record.ts'
import type { OperatorNode } from '../topology/topology.ts'
import { type LaneContext, Operator, type TargetSpec } from './operator.ts'

type Each<R> = (value: unknown, record: FlowRecord) => R

/** Where the records of a topic come in. Output 0 gets those with a body, output 1 all. */
export class SourceOperator extends Operator {
  protected process(record: FlowRecord): void {
    if (this.hasReceivers(1)) this.emit(record, 1)
    if (!this.hasReceivers(0)) return
    this.run()
    if (record.value === undefined) throw new TypeError('the message has no body')
    this.emit(record, 0)
  }
}

export class MapOperator extends Operator {
  readonly #change: Each<unknown>

  constructor(node: OperatorNode, lane: LaneContext, change: Each<unknown>) {
    super(node, lane)
    this.#change = change
  }

  protected process(record: FlowRecord): void {
    this.run()
    this.emit(record.with(this.#change(record.value, record)), 0)
  }
}

export class FilterOperator extends Operator {
  readonly #keep: Each<boolean>

  constructor(node: OperatorNode, lane: LaneContext, keep: Each<boolean>) {
    super(node, lane)
    this.#keep = keep
  }

  protected process(record: FlowRecord): void {
    this.run()
    if (this.#keep(record.value, record)) this.emit(record, 0)
  }
}

export class FlatMapOperator extends Operator {
  readonly #change: Each<Iterable<unknown>>

  constructor(node: OperatorNode, lane: LaneContext, change: Each<Iterable<unknown>>) {
    super(node, lane)
    this.#change = change
  }

  protected process(record: FlowRecord): void {
    this.run()
    for (const value of this.#change(record.value, record)) {
      this.emit(record.with(value), 0)
      // A generator goes on.
      this.run()
    }
  }
}

export class PeekOperator extends Operator {
  readonly #look: Each<unknown>

  constructor(node: OperatorNode, lane: LaneContext, look: Each<unknown>) {
    super(node, lane)
    this.#look = look
  }

  protected process(record: FlowRecord): void {
    this.run()
    this.#look(record.value, record)
    this.emit(record, 0)
  }
}

/** Passes on what comes, from wherever. */
export class MergeOperator extends Operator {
  protected process(record: FlowRecord): void {
    this.emit(record, 0)
  }
}

/** Output n gets what meets condition n, and none before; the last gets the rest. */
export class BranchOperator extends Operator {
  readonly #conditions: readonly Each<boolean>[]

  constructor(node: OperatorNode, lane: LaneContext, conditions: readonly Each<boolean>[]) {
    super(node, lane)
    this.#conditions = conditions
  }

  protected process(record: FlowRecord): void {
    this.run()
    let output = 0
    while (output < this.#conditions.length && !this.#conditions[output]!(record.value, record)) output++
    this.emit(record, output)
  }
}

/** Sends records to a topic of the application, by their new key. */
export class KeyOperator extends Operator {
  readonly #destination: string
  readonly #keyOf: Each<string>

  constructor(node: OperatorNode, lane: LaneContext, topic: string, keyOf: Each<string>) {
    super(node, lane)
    this.#destination = topicAddress(topic)
    this.#keyOf = keyOf
  }

  protected process(record: FlowRecord): void {
    this.run()
    const key: unknown = this.#keyOf(record.value, record)
    if (typeof key !== 'string') throw new TypeError(`a key is a string, not ${typeof key}`)
    this.emitted++
    this.lane.outputs.toKeyTopic(this.#destination, record, key)
  }
}

export class ToOperator extends Operator {
  readonly #target: TargetSpec

  constructor(node: OperatorNode, lane: LaneContext, target: TargetSpec) {
    super(node, lane)
    this.#target = target
  }

  protected process(record: FlowRecord): void {
    this.run()
    this.emitted++
    this.lane.outputs.toTarget(this.#target, record)
  }
}
