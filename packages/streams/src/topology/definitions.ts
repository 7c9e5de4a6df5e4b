import type { KeyedStream } from '../api.ts'
import type { StateQueries } from './flow-table.ts'
import type { OperatorNode, Topology } from './topology.ts'

/** What streams and tables of an application share. */
export interface Definitions {
  readonly topology: Topology
  readonly queries: StateQueries
  /** What an operator emits at one of its outputs. */
  stream<V>(node: OperatorNode, output: number): KeyedStream<V>
}
