import type { Coverage } from './log-store-simulation.ts'
import type { EngineName } from './simulated-engine.ts'

/** What must have happened in some hundred programs: otherwise they prove less than they claim. */
const MECHANISMS = [
  'groups',
  'refusedPublishes',
  'refusedForLackOfRoom',
  'cachedReads',
  'coldReads',
  'sealedRuns',
  'loadedRuns',
  'checkpoints',
  'slicedCheckpoints',
  'checkpointsSkipped',
  'refusedDamage',
  'indexesCompared',
  'indexesComparedFromStart',
  'crashes',
  'restarts',
  'failedAppends',
  // compaction
  'replaced',
  'inTail',
  'inRuns',
  'acrossRuns',
  'acrossRunAndTail',
  'keptPieces',
  // garbage collection
  'weighed',
  'leftAlone',
  'emptied',
  'freed',
  'movedFromTail',
  'movedFromRuns',
  'movedShared',
  'splitEntries',
]

/** Two owners on one journal: the disk engine lets in one process only. */
const MEMORY_ONLY = ['takeOvers', 'lostTakeOvers']

/** @returns the mechanisms that never worked */
export function missingMechanisms(engine: EngineName, coverage: Coverage): string[] {
  const wanted = engine === 'memory' ? [...MECHANISMS, ...MEMORY_ONLY] : MECHANISMS
  return wanted.filter((name) => (coverage.get(name) ?? 0) === 0)
}
