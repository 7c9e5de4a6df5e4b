import type {
  Aggregation,
  FromOptions,
  KeyedStream,
  RecordInfo,
  SessionStream,
  SourceTopic,
  Stream,
  StreamJoinOptions,
  Table,
  Target,
  ToOptions,
  WindowedStream,
} from '../api.ts'
import { durationMs } from '../duration.ts'
import { StreamJoinOperator, TableJoinOperator } from '../operators/joins.ts'
import type { Operator, TargetSpec } from '../operators/operator.ts'
import {
  BranchOperator,
  FilterOperator,
  FlatMapOperator,
  KeyOperator,
  MapOperator,
  MergeOperator,
  PeekOperator,
  ToOperator,
} from '../operators/stateless.ts'
import { AggregateOperator, TableOperator } from '../operators/table.ts'
import type { SessionWindows, TimeWindows } from '../windows.ts'
import { counting, reducing } from './aggregations.ts'
import type { Definitions } from './definitions.ts'
import { FlowTable } from './flow-table.ts'
import type { NodeDefinition, OperatorNode } from './topology.ts'
import { WindowedFlow } from './windowed-flow.ts'

type Each<V, R> = (value: V, record: RecordInfo) => R

type Step = Omit<NodeDefinition, 'inputs' | 'create'> & { readonly create: (...parameters: CreateParameters) => Operator }

type CreateParameters = Parameters<OperatorNode['create']>

/**
 * A place in the topology: an output of an operator. What types say about values is erased here: an operator gets what the one before it
 * emits, which the interfaces have checked.
 */
export class FlowStream<V> implements KeyedStream<V> {
  readonly #definitions: Definitions
  readonly #node: OperatorNode
  readonly #output: number

  constructor(definitions: Definitions, node: OperatorNode, output: number) {
    this.#definitions = definitions
    this.#node = node
    this.#output = output
  }

  static from<V>(definitions: Definitions, topic: SourceTopic<V>, options: FromOptions<V>): Stream<V> {
    return new FlowStream(definitions, definitions.topology.source(topic.name, topic, options as FromOptions<unknown>), 0)
  }

  static table<V>(definitions: Definitions, topic: SourceTopic<V>): Table<V> {
    const source = definitions.topology.source(topic.name, topic, {})
    return new FlowStream<V>(definitions, source, 1).toTable(topic.name)
  }

  // ---- Stream ---------------------------------------------------------------------------------------------------------

  map<R>(change: Each<V, R>): KeyedStream<R> {
    return this.#then({ kind: 'map', create: (node, lane) => new MapOperator(node, lane, change as Each<unknown, R>) })
  }

  filter(keep: Each<V, boolean>): KeyedStream<never> {
    return this.#then({
      kind: 'filter',
      create: (node, lane) => new FilterOperator(node, lane, keep as Each<unknown, boolean>),
    })
  }

  flatMap<R>(change: Each<V, Iterable<R>>): KeyedStream<R> {
    return this.#then({
      kind: 'flatMap',
      create: (node, lane) => new FlatMapOperator(node, lane, change as Each<unknown, Iterable<R>>),
    })
  }

  peek(look: Each<V, unknown>): KeyedStream<V> {
    return this.#then({ kind: 'peek', create: (node, lane) => new PeekOperator(node, lane, look as Each<unknown, unknown>) })
  }

  forEach(look: Each<V, unknown>): void {
    this.peek(look)
  }

  merge<W>(...others: readonly Stream<W>[]): KeyedStream<V | W> {
    const inputs = [this, ...others].map((stream) => (stream as FlowStream<unknown>).#edge(0))
    const node = this.#definitions.topology.add({
      kind: 'merge',
      inputs,
      create: (self, lane) => new MergeOperator(self, lane),
    })
    return new FlowStream(this.#definitions, node, 0)
  }

  branch<B extends Readonly<Record<string, Each<V, boolean>>>>(
    conditions: B,
  ): { readonly [K in keyof B | 'rest']: KeyedStream<V> } {
    const names = Object.keys(conditions)
    const tests = Object.values(conditions) as readonly Each<unknown, boolean>[]
    const node = this.#add({ kind: 'branch', create: (self, lane) => new BranchOperator(self, lane, tests) })
    const branches = [...names, 'rest'].map((name, output) => [name, new FlowStream<V>(this.#definitions, node, output)])
    return Object.fromEntries(branches) as { readonly [K in keyof B | 'rest']: KeyedStream<V> }
  }

  to(target: Target<V>, options: ToOptions<V> = {}): void {
    const { topology } = this.#definitions
    topology.targets.set(target.destination, target)
    const spec: TargetSpec = {
      destination: target.destination,
      encode: (value, messageOptions) => target.codec.encode(value, messageOptions),
      key: options.key,
      headers: options.headers,
    }
    this.#add({ kind: 'to', create: (node, lane) => new ToOperator(node, lane, spec) })
  }

  key(name: string, keyOf: Each<V, string>): KeyedStream<V> {
    const { topology } = this.#definitions
    const topic = topology.keyTopic(name)
    this.#add({
      kind: 'key',
      create: (node, lane) => new KeyOperator(node, lane, topic, keyOf as Each<unknown, string>),
    })
    return new FlowStream(this.#definitions, topology.source(topic, undefined, {}), 0)
  }

  byKey(): KeyedStream<V> {
    return this
  }

  // ---- KeyedStream ----------------------------------------------------------------------------------------------------

  count(name: string): Table<number> {
    return this.aggregate(name, counting)
  }

  reduce(name: string, combine: (before: V, value: V, record: RecordInfo) => V): Table<V> {
    return this.aggregate(name, reducing(combine))
  }

  aggregate<A>(name: string, aggregation: Aggregation<V, A>): Table<A> {
    const create = (...[node, lane]: CreateParameters): Operator =>
      new AggregateOperator(node, lane, aggregation as Aggregation<unknown, unknown>)
    return this.#table(this.#add({ kind: 'aggregate', name, isKeyed: true, hasState: true, create }))
  }

  toTable(name: string): Table<V> {
    return this.#table(this.#add({ kind: 'table', name, isKeyed: true, hasState: true, create: createTable }))
  }

  window(windows: TimeWindows): WindowedStream<V>
  window(windows: SessionWindows): SessionStream<V>
  window(windows: TimeWindows | SessionWindows): SessionStream<V> {
    return new WindowedFlow<V>(this.#definitions, this.#edge(0), windows)
  }

  join<T, R>(table: Table<T>, combine: (value: V, other: T, record: RecordInfo) => R): KeyedStream<R> {
    return this.#joinTable('join', table, combine as (value: unknown, other: unknown, record: RecordInfo) => R)
  }

  leftJoin<T, R>(table: Table<T>, combine: (value: V, other: T | undefined, record: RecordInfo) => R): KeyedStream<R> {
    return this.#joinTable('leftJoin', table, combine as (value: unknown, other: unknown, record: RecordInfo) => R)
  }

  joinStream<W, R>(
    name: string,
    other: KeyedStream<W>,
    combine: (value: V, other: W) => R,
    { within, grace = 0 }: StreamJoinOptions,
  ): KeyedStream<R> {
    const times = { withinMs: durationMs(within, '`within`', 0), graceMs: durationMs(grace, '`grace`', 0) }
    const node = this.#definitions.topology.add({
      kind: 'joinStream',
      name,
      inputs: [this.#edge(0), (other as FlowStream<W>).#edge(1)],
      isKeyed: true,
      hasState: true,
      graceMs: times.graceMs,
      create: (self, lane) => new StreamJoinOperator(self, lane, combine as (value: unknown, other: unknown) => unknown, times),
    })
    return new FlowStream(this.#definitions, node, 0)
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #joinTable<R>(
    kind: 'join' | 'leftJoin',
    table: Table<unknown>,
    combine: (value: unknown, other: unknown, record: RecordInfo) => R,
  ): KeyedStream<R> {
    const { node: from } = table as FlowTable<unknown>
    const node = this.#definitions.topology.add({
      kind,
      // From the table comes nothing: output -1. It has to be there, and with as many partitions.
      inputs: [this.#edge(0), { from, output: -1, input: 1 }],
      isKeyed: true,
      create: (self, lane) => new TableJoinOperator(self, lane, from.name, kind === 'leftJoin', combine),
    })
    return new FlowStream(this.#definitions, node, 0)
  }

  #table<T>(node: OperatorNode): Table<T> {
    return new FlowTable<T>(node, this.#definitions.queries, () => new FlowStream(this.#definitions, node, 0))
  }

  #edge(input: number): { readonly from: OperatorNode; readonly output: number; readonly input: number } {
    return { from: this.#node, output: this.#output, input }
  }

  #add(step: Step): OperatorNode {
    return this.#definitions.topology.add({ ...step, inputs: [this.#edge(0)] })
  }

  #then<R>(step: Step): KeyedStream<R> {
    return new FlowStream<R>(this.#definitions, this.#add(step), 0)
  }
}

function createTable(...[node, lane]: CreateParameters): Operator {
  return new TableOperator(node, lane)
}
