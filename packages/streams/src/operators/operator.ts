// hot path (packages/streams/test/throughput.mjs)
import type { FlowRecord } from '../flow-record.ts'
import type { LaneStore } from '../state/lane-store.ts'
import type { UndoLog } from '../state/undo-log.ts'
import type { OperatorNode } from '../topology/topology.ts'
import type { LaneTimes } from './lane-times.ts'

/** What operators have of the lane in which they are. */
export interface LaneContext {
  readonly partition: number
  readonly undo: UndoLog
  readonly times: LaneTimes
  /** Whose function runs: for errors. */
  running: OperatorNode | undefined
  /**
   * Emits what time brought about. Where that fails, it alone is left out, if the policy allows: the record that moved time on has no
   * part in it.
   */
  guarded(result: FlowRecord, emit: () => void): void
  /** The state of that operator. */
  store(name: string): LaneStore
  /** Publishes with the next commit. */
  readonly outputs: Outputs
}

/** What the batch under way publishes. */
export interface Outputs {
  /** To the partition of a topic of the application, by its address. */
  toKeyTopic(destination: string, record: FlowRecord, key: string): void
  toTarget(target: TargetSpec, record: FlowRecord): void
}

/** Where an operator of kind `to` publishes. Types are checked where it is made. */
export interface TargetSpec {
  readonly destination: string
  readonly encode: (value: never, options: object) => unknown
  readonly key: ((value: never, record: FlowRecord) => string) | undefined
  readonly headers: ((value: never, record: FlowRecord) => Readonly<Record<string, string | Uint8Array>>) | undefined
}

interface Receiver {
  readonly operator: Operator
  readonly input: number
}

/** One step of the application in one lane. */
export abstract class Operator {
  readonly node: OperatorNode
  readonly lane: LaneContext
  received = 0
  emitted = 0
  late = 0
  /** By output. */
  readonly #receivers: Receiver[][] = []

  constructor(node: OperatorNode, lane: LaneContext) {
    this.node = node
    this.lane = lane
  }

  /** @param output of this one @param input of the other */
  connect(output: number, operator: Operator, input: number): void {
    ;(this.#receivers[output] ??= []).push({ operator, input })
  }

  receive(record: FlowRecord, input: number): void {
    this.received++
    this.process(record, input)
  }

  /** Called once, when its state is restored. */
  restored(): void {}

  /** Event time goes on although nothing came. @param byMs of the clock */
  idle(_byMs: number): void {}

  /** After how long without records `idle` is to be called; Infinity: there is no need. */
  get idleMs(): number {
    return Infinity
  }

  protected abstract process(record: FlowRecord, input: number): void

  /** Whether anybody listens. */
  protected hasReceivers(output: number): boolean {
    return this.#receivers[output] !== undefined
  }

  protected emit(record: FlowRecord, output: number): void {
    this.emitted++
    const receivers = this.#receivers[output]
    if (receivers === undefined) return
    for (let n = 0; n < receivers.length; n++) {
      const { operator, input } = receivers[n]!
      operator.receive(record, input)
    }
  }

  /** Says whose function is called next. */
  protected run(): void {
    this.lane.running = this.node
  }

  /** The key of a record that needs one. @throws TypeError */
  protected keyOf(record: FlowRecord): string {
    this.run()
    if (record.key !== undefined) return record.key
    throw new TypeError('the record has no key: give it one with key(), or publish its message with a key')
  }
}
