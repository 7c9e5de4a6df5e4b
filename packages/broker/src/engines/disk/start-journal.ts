/** The steps from a locked directory to a journal that is ready. */
import { join } from 'node:path'
import type { Journal } from '../../ports/journal.ts'
import { crc32c } from './checksum.ts'
import { DiskJournal } from './disk-journal.ts'
import type { DirectoryLock, FileSystem } from './file-system.ts'
import { withFreed } from './freed-generations.ts'
import { FrameWriter } from './frame-writer.ts'
import { Headroom } from './headroom.ts'
import { Manifest, MANIFEST_NAME } from './manifest.ts'
import type { DiskJournalOptions } from './open-disk-journal.ts'
import { recoverSegments, type RecoveredSegments } from './recovery.ts'
import { SegmentFiles } from './segment-files.ts'
import { adoptEmpty, SegmentList } from './segment-list.ts'
import { SegmentSupply, type EmptySegment } from './segment-supply.ts'
import type { Segment } from './segment.ts'
import { parseSegmentName } from './segment-format.ts'
import { collectSpares, generationsIn } from './spare-files.ts'
import { corrupt } from './stored-segment.ts'
import { readFully, writeFully } from './whole-transfers.ts'

export type DiskJournalSettings = Required<DiskJournalOptions>

/** Closes what it opened if it fails, except the lock. */
export async function startJournal(settings: DiskJournalSettings, lock: DirectoryLock): Promise<Journal> {
  const { directory, fileSystem, onWarning } = settings
  const names = await fileSystem.list(directory)
  const manifest = await openManifest(settings, names)
  const files = new SegmentFiles(fileSystem, settings.openFilesMax)
  let supply: SegmentSupply | undefined
  try {
    const generations = generationsIn(names, manifest.facts.freed)
    const recovered = await recoverSegments(directory, generations, manifest.facts, fileSystem, crc32c)
    if (recovered.dropped.length > 0)
      onWarning(`${directory}: the end of the journal was not on the disk yet when the machine stopped`)
    await makeDurable(recovered.segments, settings)
    await recordStart(manifest, recovered, settings)
    supply = await openSupply(names, manifest, recovered, settings)
    const segments = await listSegments(recovered, supply, files)
    const onStatfsFailed = (error: unknown): void => onWarning(`${directory}: free space is not known: ${String(error)}`)
    const refreshBytes = settings.segmentBytes / 4
    const headroom = new Headroom(fileSystem, directory, settings.clock, { ...settings, refreshBytes }, onStatfsFailed)
    await headroom.refresh()
    const writer = new FrameWriter({ ...settings, crc32c, epoch: manifest.facts.epoch })
    await writer.moveTo(segments.active)
    return new DiskJournal({ ...settings, crc32c, lock, manifest, segments, writer, files, supply, headroom })
  } catch (error) {
    await manifest.close()
    await supply?.close()
    await files.closeAll()
    throw error
  }
}

async function openManifest(
  { fileSystem, directory, onWarning }: DiskJournalSettings,
  names: readonly string[],
): Promise<Manifest> {
  await Manifest.removeUnfinished(fileSystem, directory, names)
  if (names.includes(MANIFEST_NAME)) return Manifest.open(fileSystem, directory, crc32c, onWarning)
  if (names.some((name) => parseSegmentName(name) !== undefined)) throw corrupt(join(directory, MANIFEST_NAME), 'it is missing')
  return Manifest.create(fileSystem, directory, crc32c)
}

/**
 * What recovery found may be in memory only, the names of files too, if the process before was killed. The last frame is written again before it is synced: after a failed
 * fdatasync the kernel takes its pages for clean.
 */
async function makeDurable(segments: readonly Segment[], { fileSystem, directory }: DiskJournalSettings): Promise<void> {
  await fileSystem.syncDirectory(directory)
  const last = segments.findLast(({ count }) => count > 0)
  for (const segment of segments) {
    if (segment.isClosed || segment.count === 0) continue
    const file = await fileSystem.open(segment.path, false)
    try {
      if (segment === last) {
        const position = segment.positions!.at(segment.count - 1)
        const frame = Buffer.allocUnsafe(segment.end - position)
        await readFully(file, frame, position)
        await writeFully(file, frame, position)
      }
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** A new epoch, and the segments that are not needed. Everything that was recovered is durable by now. */
async function recordStart(manifest: Manifest, recovered: RecoveredSegments, settings: DiskJournalSettings): Promise<void> {
  const { facts } = manifest
  let { freed } = facts
  const surplus = recovered.empty.filter((segment) => segment !== nextEmpty(recovered, settings))
  for (const { header } of [...recovered.dropped, ...surplus]) freed = withFreed(freed, header.generation, Infinity)!
  const epoch = Math.max(facts.epoch, recovered.lastEpoch) + 1
  await manifest.write({ epoch, durableNext: recovered.segments.at(-1)?.next ?? 0, freed })
}

/** The empty segment that can be used next. */
function nextEmpty(recovered: RecoveredSegments, { segmentBytes }: DiskJournalSettings): Segment | undefined {
  return recovered.empty.find(({ header }) => header.segmentBytes === segmentBytes)
}

async function openSupply(
  names: readonly string[],
  manifest: Manifest,
  recovered: RecoveredSegments,
  settings: DiskJournalSettings,
): Promise<SegmentSupply> {
  const { fileSystem } = settings
  const { freed } = manifest.facts
  const next = Math.max(0, ...generationsIn(names, []), ...freed.map(([, to]) => to)) + 1
  const spares = await collectSpares(names, freed, next, settings)
  const empty = nextEmpty(recovered, settings)
  const prepared = empty === undefined ? undefined : await reopened(empty, fileSystem)
  return new SegmentSupply({ ...settings, crc32c }, next, spares, prepared)
}

async function reopened({ path, header, filledEnd }: Segment, fileSystem: FileSystem): Promise<EmptySegment> {
  return { path, header, filledEnd, file: await fileSystem.open(path, false) }
}

async function listSegments(recovered: RecoveredSegments, supply: SegmentSupply, files: SegmentFiles): Promise<SegmentList> {
  const segments = [...recovered.segments]
  const last = segments.at(-1)
  if (last !== undefined && recovered.isLastUsable) await files.borrow(last)
  else segments.push(await adoptEmpty(await supply.take(), last, files))
  return new SegmentList(segments)
}
