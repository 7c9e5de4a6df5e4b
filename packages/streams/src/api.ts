import type { Codec, Millrace, Serializer } from '@millrace/client'
import type { Duration } from './duration.ts'
import type { OpenStateStore } from './state/state-store.ts'
import type { StreamError } from './stream-error.ts'
import type { SessionWindows, TimeWindows, Window } from './windows.ts'

/** What user functions know of a record besides its value. */
export interface RecordInfo {
  readonly key: string | undefined
  /** Event time, milliseconds since 1970. */
  readonly timestampMs: number
  /** Of the message from which it comes. */
  readonly headers: Readonly<Record<string, Uint8Array | null>>
  /** Where that message is. After `key`, that is the application's own topic. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

interface Declared {
  readonly name: string
  readonly destination: string
  declare(client: Millrace): Promise<void>
}

/** A topic that is read: what `topic(...)` of the client gives. */
export interface SourceTopic<V> extends Declared {
  readonly codec: Pick<Codec<never, V>, 'decode'>
}

/** A queue or topic that is written to: what `queue(...)` or `topic(...)` of the client gives. */
export interface Target<V> extends Declared {
  readonly codec: Pick<Codec<V, unknown>, 'encode'>
}

export interface FromOptions<V> {
  /** Event time of a record, milliseconds since 1970. Default: the timestamp of its message. */
  readonly timestamp?: (value: V, message: RecordInfo) => number
  /** Where to begin a topic that this application has not read before. Default `earliest`. */
  readonly start?: 'earliest' | 'latest'
}

export interface ToOptions<V> {
  /** Default: that of the declaration, or else that of the record. */
  readonly key?: (value: V, record: RecordInfo) => string
  readonly headers?: (value: V, record: RecordInfo) => Readonly<Record<string, string | Uint8Array>>
}

type Each<V, R> = (value: V, record: RecordInfo) => R

/** Records without end. The functions given to its operators are synchronous, and are called again for a record when a batch is repeated. */
export interface Stream<V> {
  map<R>(change: Each<V, R>): Stream<R>
  filter<W extends V>(keep: (value: V, record: RecordInfo) => value is W): Stream<W>
  filter(keep: Each<V, boolean>): Stream<V>
  flatMap<R>(change: Each<V, Iterable<R>>): Stream<R>
  /** Looks at records as they pass. */
  peek(look: Each<V, unknown>): Stream<V>
  forEach(look: Each<V, unknown>): void
  merge<W>(...others: readonly Stream<W>[]): Stream<V | W>
  /** Each record goes to the first branch whose condition it meets, or else to `rest`. */
  branch<B extends Readonly<Record<string, Each<V, boolean>>>>(conditions: B): { readonly [K in keyof B | 'rest']: Stream<V> }
  /** Publishes every record, with its timestamp. */
  to(target: Target<V>, options?: ToOptions<V>): void
  /**
   * Gives records a key, and brings equal keys together, by way of a topic of the application.
   * @param name of that topic: `APPLICATION.key.NAME`
   */
  key(name: string, keyOf: Each<V, string>): KeyedStream<V>
  /** The same records, taken as keyed by the keys of their messages. */
  byKey(): KeyedStream<V>
}

/** A stream whose records have keys, equal keys being in one partition. */
export interface KeyedStream<V> extends Stream<V> {
  map<R>(change: Each<V, R>): KeyedStream<R>
  filter<W extends V>(keep: (value: V, record: RecordInfo) => value is W): KeyedStream<W>
  filter(keep: Each<V, boolean>): KeyedStream<V>
  flatMap<R>(change: Each<V, Iterable<R>>): KeyedStream<R>
  peek(look: Each<V, unknown>): KeyedStream<V>
  merge<W>(...others: readonly KeyedStream<W>[]): KeyedStream<V | W>
  merge<W>(...others: readonly Stream<W>[]): Stream<V | W>
  branch<B extends Readonly<Record<string, Each<V, boolean>>>>(
    conditions: B,
  ): { readonly [K in keyof B | 'rest']: KeyedStream<V> }

  /** How many records each key has. @param name of the state, in a topic `APPLICATION.state.NAME` */
  count(name: string): Table<number>
  /** Puts each record together with what came before it. The first is taken as it is. */
  reduce(name: string, combine: (before: V, value: V, record: RecordInfo) => V): Table<V>
  aggregate<A>(name: string, aggregation: Aggregation<V, A>): Table<A>
  /** The last value of each key. */
  toTable(name: string): Table<V>

  window(windows: TimeWindows): WindowedStream<V>
  window(windows: SessionWindows): SessionStream<V>

  /** With what the table has for the key at that moment; records whose key it does not have are left out. */
  join<T, R>(table: Table<T>, combine: (value: V, other: T, record: RecordInfo) => R): KeyedStream<R>
  /** As `join`, with undefined where the table does not have the key. */
  leftJoin<T, R>(table: Table<T>, combine: (value: V, other: T | undefined, record: RecordInfo) => R): KeyedStream<R>
  /** With each record of the other stream that has the same key and is at most `within` earlier or later. */
  joinStream<W, R>(
    name: string,
    other: KeyedStream<W>,
    combine: (value: V, other: W) => R,
    options: StreamJoinOptions,
  ): KeyedStream<R>
}

export interface StreamJoinOptions {
  readonly within: Duration
  /** How late a record may come and still be joined. Default 0. */
  readonly grace?: Duration
}

/** None of the functions may change what it is given. */
export interface Aggregation<V, A> {
  readonly initial: () => A
  readonly add: (aggregate: A, value: V, record: RecordInfo) => A
}

export interface MergingAggregation<V, A> extends Aggregation<V, A> {
  /** Of two sessions that a record has joined; the earlier one first. */
  readonly merge: (first: A, second: A, record: RecordInfo) => A
}

interface Windowed<V> {
  count(name: string): WindowedTable<number, V>
  reduce(name: string, combine: (before: V, value: V, record: RecordInfo) => V): WindowedTable<V, V>
}

export interface WindowedStream<V> extends Windowed<V> {
  aggregate<A>(name: string, aggregation: Aggregation<V, A>): WindowedTable<A, V>
}

export interface SessionStream<V> extends Windowed<V> {
  aggregate<A>(name: string, aggregation: MergingAggregation<V, A>): WindowedTable<A, V>
}

export interface TableChange<V> {
  readonly key: string
  /** Undefined: the key is gone. */
  readonly value: V | undefined
  readonly previous: V | undefined
}

/** A value for each key. Queries answer from what is committed, for the partitions that this instance has. */
export interface Table<V> {
  readonly name: string
  /** Each change, in the moment in which it happens. */
  changes(): KeyedStream<TableChange<V>>
  /** @throws StreamError when another instance has the key's partition, or it is not restored yet */
  get(key: string): V | undefined
  /** All keys of the partitions that are here. */
  entries(): IterableIterator<readonly [key: string, value: V]>
}

export interface WindowResult<A> {
  readonly key: string
  readonly window: Window
  readonly value: A
}

/** A value for each key and window that is not closed yet. */
export interface WindowedTable<A, V> {
  readonly name: string
  /** Each update. A session that grew takes the place of those that it overlaps. */
  changes(): KeyedStream<WindowResult<A>>
  /** Each window once, when it is closed: when event time has passed its end and the grace. */
  final(): KeyedStream<WindowResult<A>>
  /** Records that came when all of their windows were closed. */
  late(): KeyedStream<V>
  /** The open windows of a key, by their start. @throws as `Table.get` */
  get(key: string): readonly WindowResult<A>[]
  /** All open windows of the partitions that are here. */
  entries(): IterableIterator<WindowResult<A>>
}

/**
 * What becomes of a record whose message cannot be read, or at which a user function throws. `fail`: the application stops before it.
 * `skip`: it is counted and left out. `deadLetter`: its message goes to that queue or topic (`queue:NAME`), with the reason.
 */
export type FailurePolicy = 'fail' | 'skip' | { readonly deadLetter: string }

export interface StreamsOptions {
  /** Default `fail`. */
  readonly onFailure?: FailurePolicy
  /** Told of each record that is skipped or goes to the dead letters. */
  readonly onSkip?: (error: StreamError) => void
  /** What to do when records were deleted by retention before they were read: stop (default), or go on with what there is. */
  readonly onLoss?: 'fail' | 'continue'
  /** Partitions of the topics that `key` makes. Default: as many as the topic with the most that is read. */
  readonly partitions?: number
  /** How long records stay in the topics that `key` makes. Default 7 days. */
  readonly keep?: Duration
  /** Records of one partition that go into one transaction at most. Default 1,000. */
  readonly batchRecords?: number
  /** A partition whose instance shows no life for so long goes to another. Default 30 s. */
  readonly lease?: Duration
  /** Of what the application keeps for itself. Default MessagePack, which keeps dates, bytes and 64-bit integers. */
  readonly serializer?: Serializer
  /** Where state is while the application runs. Default: in memory. */
  readonly store?: OpenStateStore
}

export type StreamsState = 'new' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

/** An application: define its streams, then start it. Instances with the same name share the partitions. */
export interface Streams extends AsyncDisposable {
  readonly name: string
  from<V>(topic: SourceTopic<V>, options?: FromOptions<V>): Stream<V>
  /** The last value of each key of a topic; a message without a body takes its key away. */
  table<V>(topic: SourceTopic<V>): Table<V>
  /**
   * Creates what is missing and begins. Resolves when it takes part in sharing the partitions.
   * @throws MillraceError, StreamError when the topics do not fit the application
   */
  start(): Promise<void>
  /** Finishes the batches under way, commits them, and leaves its partitions to others. */
  stop(): Promise<void>
  /** Resolves when it was stopped; rejects with what made it fail. */
  readonly done: Promise<void>
  /** Resolves once everything is processed that was there when it was called, in the partitions that are here then. */
  caughtUp(): Promise<void>
  info(): StreamsInfo
  /** Deletes what the application keeps on the broker: its progress, state and topics. No instance may run. */
  reset(): Promise<void>
}

/** Counts are those of this instance since it started, of what is committed. */
export interface StreamsInfo {
  readonly name: string
  readonly state: StreamsState
  /** What made it fail. */
  readonly failure: string | undefined
  /** Records read, by all partitions. */
  readonly processed: number
  readonly late: number
  readonly skipped: number
  readonly deadLettered: number
  readonly commits: number
  /** What was wrong with the last record that was left out. */
  readonly lastSkip: string | undefined
  readonly lanes: readonly LaneInfo[]
  readonly operators: readonly OperatorInfo[]
}

/** A lane is one partition of every topic of the application: the unit that instances share. */
export interface LaneInfo {
  readonly lane: number
  /** `waiting`: another instance has it. */
  readonly state: 'waiting' | 'restoring' | 'running' | 'stopped'
  /** Next offset by topic. */
  readonly positions: Readonly<Record<string, number>>
}

export interface OperatorInfo {
  readonly name: string
  readonly kind: string
  readonly received: number
  readonly emitted: number
  readonly late: number
  /** Entries of its state, in the partitions that are here. */
  readonly entries: number
}
