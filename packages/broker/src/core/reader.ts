import type { StartPosition } from './specs.ts'

export interface ReadOptions {
  /** Default 0. In a queue with priorities: the level; by default all that there are, the highest first, unless `from` is an offset. */
  readonly partition?: number
  readonly from: StartPosition
  /** Selector (docs/selectors.md): only messages that it matches are delivered, and cost credit. */
  readonly filter?: string
}

export interface Reader {
  /** Allows so many more messages. */
  grant(messages: number): void
  /** Takes back all credit that is not used. */
  revoke(): void
  /** True once everything committed so far was delivered. */
  readonly atEnd: boolean
  close(): void
}
