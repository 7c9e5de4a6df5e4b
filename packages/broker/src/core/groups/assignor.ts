/** Who reads what, where the broker decides. */
import type { Place } from './place.ts'
import { assignRange } from './range-assignor.ts'
import { assignUniform } from './uniform-assignor.ts'

/** A member as assignors see it. */
export interface AssignedMember {
  readonly id: string
  readonly instanceId: string | undefined
  /** Topics by entity. Those that do not exist are left out. */
  readonly topics: ReadonlySet<number>
  /** What it shall read so far. */
  readonly target: ReadonlySet<Place>
}

/** Partitions of each topic that somebody names, by entity. */
export type PartitionCounts = ReadonlyMap<number, number>

/** @returns what each member shall read: every partition of a topic that somebody names is with one of those who name it */
export type Assignor = (members: readonly AssignedMember[], partitions: PartitionCounts) => ReadonlyMap<string, Set<Place>>

export const DEFAULT_ASSIGNOR = 'uniform'

export const assignors: Readonly<Record<string, Assignor>> = { uniform: assignUniform, range: assignRange }
