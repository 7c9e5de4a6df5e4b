import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import { CheckpointSections, readCheckpoint } from './checkpoint-stream.ts'
import { decodeEnd, NO_CHECKPOINT, uncheckedPart, type CheckpointFound, type CheckpointPointer } from './checkpointer.ts'
import { CHECKPOINT, CHECKPOINT_END, corrupt } from './commit-format.ts'
import { CommitReader, type CommitDirectory } from './commit-reader.ts'
import { payloadRanges } from './directory-scan.ts'
import { DirectoryReplay } from './directory-replay.ts'
import type { StorageLimits } from './limits.ts'
import { LogIndex } from './log-index.ts'
import { ByteReader } from './varints.ts'

/** What is known again after the journal was read. */
export interface Recovered {
  readonly index: LogIndex
  readonly nextLogId: number
  /** The first sequence that was not read: ours to write, or we are not alone. */
  readonly next: number
  readonly checkpoint: CheckpointFound
  /** Checkpoints that could not be used. */
  readonly skippedCheckpoints: number
}

interface Loaded {
  readonly index: LogIndex
  readonly sections: CheckpointSections
  readonly bytes: number
}

/**
 * Rebuilds the index: the newest commit says where the last checkpoint is; its sections, and then the directories of all commits since it
 * began. A damaged checkpoint gives way to the one before, and in the end to reading every directory, if the journal still has them.
 * @throws MillraceError `data_corrupt`
 */
export async function recover(journal: Journal, crc32c: Crc32c, limits: StorageLimits): Promise<Recovered> {
  const { next } = journal.bounds()
  const reader = new CommitReader(journal, crc32c)
  const newest = next === 0 ? undefined : await reader.header(next - 1)
  let pointer: CheckpointPointer =
    newest === undefined ? NO_CHECKPOINT : { first: newest.checkpointFirst, last: newest.checkpointLast }
  let damage: unknown
  let skippedCheckpoints = 0
  for (;;) {
    try {
      const recovered = await rebuild(pointer, next, journal, crc32c, limits)
      return { ...recovered, skippedCheckpoints }
    } catch (error) {
      if (!isDamage(error)) throw error
      damage ??= error
      if (pointer.first < 0) break
      skippedCheckpoints++
      pointer = await pointerBefore(pointer, reader)
    }
  }
  throw damage
}

/** Rebuilds the index from one checkpoint, or from the first commit. @throws MillraceError `data_corrupt`, `offset_out_of_range` */
export async function rebuild(
  pointer: CheckpointPointer,
  next: number,
  journal: Journal,
  crc32c: Crc32c,
  limits: StorageLimits,
): Promise<Recovered> {
  const reader = new CommitReader(journal, crc32c)
  const loaded = pointer.first < 0 ? nothing(limits) : await load(pointer, journal, reader, crc32c, limits)
  const { index, sections } = loaded
  const replay = new DirectoryReplay(index, sections)
  index.isAccounting = sections.ledgerSeq < 0
  const first = Math.max(0, pointer.first)
  let replayedBytes = 0
  let nextLogId = 1
  for await (const { header, directory } of reader.directories(first, next - 1)) {
    if (header.sequence > sections.ledgerSeq && !index.isAccounting) {
      index.isAccounting = true
      replay.forgetCheckpoint()
    }
    replayedBytes += replay.apply(header, directory)
    nextLogId = header.nextLogId
  }
  index.isAccounting = true
  index.ledger.refresh(journal.extents())
  for (const log of index.logs.values()) {
    if (log.tailCount >= index.runLength(log) && !log.isQueuedForSealing) index.queueForSealing(log)
  }
  const checkpoint: CheckpointFound = {
    pointer,
    previousFirst: pointer.first < 0 ? -1 : await previousFirst(pointer, reader),
    bytes: loaded.bytes,
    replayedBytes,
    replayedCommits: next - first,
  }
  return { index, nextLogId, next, checkpoint, skippedCheckpoints: 0 }
}

function nothing(limits: StorageLimits): Loaded {
  return { index: new LogIndex(limits.indexRunEntries), sections: new CheckpointSections(), bytes: 0 }
}

async function load(
  pointer: CheckpointPointer,
  journal: Journal,
  reader: CommitReader,
  crc32c: Crc32c,
  limits: StorageLimits,
): Promise<Loaded> {
  const end = await part(await reader.directory(pointer.last), CHECKPOINT_END, journal, crc32c)
  const { first, seqs } = decodeEnd(new ByteReader(end))
  if (first !== pointer.first) throw corrupt(pointer.last, `its checkpoint begins at ${first}, not at ${pointer.first}`)
  const parts: Uint8Array[] = []
  let bytes = 0
  for (const seq of seqs) {
    const bytesOfPart = await part(await reader.directory(seq), CHECKPOINT, journal, crc32c)
    parts.push(bytesOfPart)
    bytes += bytesOfPart.length
  }
  const stream = new Uint8Array(bytes)
  let at = 0
  for (const bytesOfPart of parts) {
    stream.set(bytesOfPart, at)
    at += bytesOfPart.length
  }
  const index = new LogIndex(limits.indexRunEntries)
  return { index, sections: readCheckpoint(stream, index), bytes }
}

async function part(commit: CommitDirectory, kind: number, journal: Journal, crc32c: Crc32c): Promise<Uint8Array> {
  const seq = commit.header.sequence
  for (const range of payloadRanges(commit)) {
    if (range.kind !== kind) continue
    const bytes = uncheckedPart(await journal.read(seq, range.position, range.length), crc32c)
    if (bytes === undefined) throw corrupt(seq, 'the checksum of its part of a checkpoint does not match')
    return bytes
  }
  throw corrupt(seq, 'it holds no part of a checkpoint')
}

/** The checkpoint before: the last complete one when this one began. */
async function pointerBefore(pointer: CheckpointPointer, reader: CommitReader): Promise<CheckpointPointer> {
  if (pointer.first === 0) return NO_CHECKPOINT
  try {
    const header = await reader.header(pointer.first - 1)
    return { first: header.checkpointFirst, last: header.checkpointLast }
  } catch (error) {
    if (!isDamage(error)) throw error
    return NO_CHECKPOINT
  }
}

async function previousFirst(pointer: CheckpointPointer, reader: CommitReader): Promise<number> {
  const before = await pointerBefore(pointer, reader)
  return before.first < 0 ? pointer.first : before.first
}

/** Bytes that are wrong or gone, as against a journal that cannot be read at all. */
function isDamage(error: unknown): boolean {
  return error instanceof MillraceError && (error.code === 'data_corrupt' || error.code === 'offset_out_of_range')
}
