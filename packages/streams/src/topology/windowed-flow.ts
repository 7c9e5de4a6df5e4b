import type {
  Aggregation,
  KeyedStream,
  MergingAggregation,
  RecordInfo,
  SessionStream,
  WindowedTable,
  WindowResult,
} from '../api.ts'
import type { Operator } from '../operators/operator.ts'
import { SessionWindowsOperator } from '../operators/session-windows.ts'
import { TimeWindowsOperator } from '../operators/time-windows.ts'
import { parseWindowKey } from '../operators/window-key.ts'
import { windowOutputs } from '../operators/windowed.ts'
import type { SessionWindows, TimeWindows } from '../windows.ts'
import { counting, reducing } from './aggregations.ts'
import type { Definitions } from './definitions.ts'
import type { Edge, OperatorNode } from './topology.ts'

/** A keyed stream that is cut into windows. */
export class WindowedFlow<V> implements SessionStream<V> {
  readonly #definitions: Definitions
  readonly #from: Edge
  readonly #windows: TimeWindows | SessionWindows

  constructor(definitions: Definitions, from: Edge, windows: TimeWindows | SessionWindows) {
    this.#definitions = definitions
    this.#from = from
    this.#windows = windows
  }

  count(name: string): WindowedTable<number, V> {
    return this.aggregate(name, counting)
  }

  reduce(name: string, combine: (before: V, value: V, record: RecordInfo) => V): WindowedTable<V, V> {
    return this.aggregate(name, reducing(combine))
  }

  aggregate<A>(name: string, aggregation: Aggregation<V, A> | MergingAggregation<V, A>): WindowedTable<A, V> {
    const windows = this.#windows
    const erased = aggregation as MergingAggregation<unknown, unknown>
    const create = (...[node, lane]: Parameters<OperatorNode['create']>): Operator =>
      windows.kind === 'time'
        ? new TimeWindowsOperator(node, lane, windows, erased)
        : new SessionWindowsOperator(node, lane, windows, erased)
    const kind = windows.kind === 'time' ? 'windows' : 'sessions'
    const node = this.#definitions.topology.add({
      kind,
      name,
      inputs: [this.#from],
      isKeyed: true,
      hasState: true,
      graceMs: windows.graceMs,
      create,
    })
    return new FlowWindowedTable<A, V>(this.#definitions, node)
  }
}

class FlowWindowedTable<A, V> implements WindowedTable<A, V> {
  readonly name: string
  readonly #definitions: Definitions
  readonly #node: OperatorNode

  constructor(definitions: Definitions, node: OperatorNode) {
    this.name = node.name
    this.#definitions = definitions
    this.#node = node
  }

  changes(): KeyedStream<WindowResult<A>> {
    return this.#definitions.stream(this.#node, windowOutputs.changes)
  }

  final(): KeyedStream<WindowResult<A>> {
    return this.#definitions.stream(this.#node, windowOutputs.final)
  }

  late(): KeyedStream<V> {
    return this.#definitions.stream(this.#node, windowOutputs.late)
  }

  get(key: string): readonly WindowResult<A>[] {
    const found: WindowResult<A>[] = []
    for (const [stateKey, value] of this.#definitions.queries.storeOf(this.#node, key).committedEntries()) {
      const result = resultOf<A>(stateKey, value)
      if (result.key === key) found.push(result)
    }
    return found.toSorted((a, b) => a.window.startMs - b.window.startMs)
  }

  *entries(): Generator<WindowResult<A>> {
    for (const store of this.#definitions.queries.storesOf(this.#node))
      for (const [stateKey, value] of store.committedEntries()) yield resultOf<A>(stateKey, value)
  }
}

function resultOf<A>(stateKey: string, value: unknown): WindowResult<A> {
  const { key, startMs, endMs } = parseWindowKey(stateKey)
  return { key, window: { startMs, endMs }, value: value as A }
}
