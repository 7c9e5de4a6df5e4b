/** Batches that were checked, on their way to one log or as one copy to several; all of them fit into one commit. */
import { RecordReader } from '@millrace/wire'
import type { AppendedPart } from './priorities/places-of.ts'
import type { PublishTarget } from './publish-target.ts'
import type { Shard } from './shard.ts'
import { appendShared, type Place, sharedBytes } from './shared-append.ts'
import { APPEND_BYTES } from './transactions/limits.ts'

/** A batch with several priorities is one for each level. */
export interface Write {
  readonly batch: Uint8Array
  readonly places: readonly Place[]
}

/**
 * What becomes of a batch for these targets: one copy for all, and beside it the parts for those that divide it. The key of its first record decides the
 * partition of a topic.
 * @param plain the same batch, not compressed
 */
export function writesTo(targets: readonly PublishTarget[], batch: Uint8Array, plain: Uint8Array): Write[] {
  const key = firstKey(plain)
  const shared: Place[] = []
  const writes: Write[] = []
  for (const target of targets) {
    const parts = target.divide(target.partitionOrAny(target.partitionFor(key)), batch)
    if (parts.length === 1) shared.push({ target, partition: parts[0]!.partition })
    else for (const part of parts) writes.push({ batch: part.batch, places: [{ target, partition: part.partition }] })
  }
  return shared.length === 0 ? writes : [{ batch, places: shared }, ...writes]
}

/** What it takes in a commit, at most. */
export function writeBytes({ batch, places }: Write): number {
  let bytes = sharedBytes(places, batch)
  // Where duplicates are left out, there is no copy to share.
  if (leavesOut(places)) for (const { target } of places) bytes += batch.length + APPEND_BYTES + target.idBytes(batch)
  return bytes
}

/** There is room for `writeBytes` in the open commit. @returns what became of it at each place */
export function appendWrite(shard: Shard, { batch, places }: Write): AppendedPart[] {
  if (leavesOut(places)) {
    return places.map(({ target, partition }) => {
      const base = target.publishNew(partition, batch)
      return { partition, base, duplicates: target.duplicates }
    })
  }
  const bases = appendShared(shard, places, batch)
  return places.map(({ partition }, n) => ({ partition, base: bases[n]!, duplicates: undefined }))
}

export function firstKey(batch: Uint8Array): Uint8Array | null {
  const reader = new RecordReader(batch)
  return reader.next() ? reader.key : null
}

/** Whether some of them may have the records of a batch already. */
function leavesOut(places: readonly Place[]): boolean {
  return places.some(({ target }) => target.ids !== undefined)
}
