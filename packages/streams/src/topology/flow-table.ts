import type { KeyedStream, Table, TableChange } from '../api.ts'
import type { OperatorNode } from './topology.ts'
import type { LaneStore } from '../state/lane-store.ts'

/** Finds state while the application runs. */
export interface StateQueries {
  /** The lane's store that has the key. @throws StreamError when it is not here */
  storeOf(node: OperatorNode, key: string): LaneStore
  /** All that are here. */
  storesOf(node: OperatorNode): readonly LaneStore[]
}

export class FlowTable<V> implements Table<V> {
  readonly name: string
  readonly node: OperatorNode
  readonly #queries: StateQueries
  readonly #changes: () => KeyedStream<TableChange<V>>

  constructor(node: OperatorNode, queries: StateQueries, changes: () => KeyedStream<TableChange<V>>) {
    this.name = node.name
    this.node = node
    this.#queries = queries
    this.#changes = changes
  }

  changes(): KeyedStream<TableChange<V>> {
    return this.#changes()
  }

  get(key: string): V | undefined {
    return this.#queries.storeOf(this.node, key).committedValue(key) as V | undefined
  }

  *entries(): Generator<readonly [string, V]> {
    for (const store of this.#queries.storesOf(this.node)) yield* store.committedEntries() as Generator<readonly [string, V]>
  }
}
