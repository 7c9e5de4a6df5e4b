import { MillraceError } from '../../base/errors.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { File, FileSizes, FileSystem } from './file-system.ts'
import { aligned } from './frame.ts'
import {
  decodeSegmentFooter,
  decodeSegmentHeader,
  indexStart,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  type SegmentFooter,
  type SegmentHeader,
} from './segment-format.ts'
import { type ExpectedFrames, scanSegment } from './segment-scan.ts'
import { Segment } from './segment.ts'
import { readFully } from './whole-transfers.ts'

/** A segment as it was found at start. */
export interface StoredSegment {
  readonly segment: Segment
  readonly tail: 'closed' | 'clean' | 'torn'
  readonly lastEpoch: number
  /** `unsynced` of its first frame. */
  readonly firstUnsynced: number
}

/**
 * Looks at the header and the footer of a segment, and at all frames if it has no footer.
 * @throws MillraceError `data_corrupt`, `data_unusable`
 */
export async function loadSegment(
  fileSystem: FileSystem,
  path: string,
  generation: number,
  expected: ExpectedFrames,
  crc32c: Crc32c,
): Promise<StoredSegment> {
  const file = await fileSystem.open(path, false)
  try {
    const sizes = await file.sizes()
    const header = await readHeader(file, path, generation, crc32c)
    if (sizes.bytes < header.segmentBytes) {
      throw corrupt(path, `it was cut to ${sizes.bytes} bytes from ${header.segmentBytes}`)
    }
    const footer = await readFooter(file, header, crc32c)
    return footer === undefined ? await scanned(file, path, header, sizes, expected, crc32c) : closed(path, header, footer)
  } finally {
    await file.close()
  }
}

export function corrupt(path: string, what: string, cause?: unknown): MillraceError {
  return new MillraceError('data_corrupt', `${path}: ${what}. Check the disk and restore the data directory from a backup`, {
    cause,
  })
}

async function readHeader(file: File, path: string, generation: number, crc32c: Crc32c): Promise<SegmentHeader> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  await readFully(file, bytes, 0)
  const header = decodeSegmentHeader(bytes, crc32c)
  if (header === undefined) throw corrupt(path, 'its header, at byte 0, fails its checksum')
  if (header.version > SEGMENT_VERSION) {
    throw new MillraceError(
      'data_unusable',
      `${path} was written by a newer Millrace (format ${header.version}, this one knows ${SEGMENT_VERSION}): start that version, or use another directory`,
    )
  }
  if (header.generation !== generation)
    throw corrupt(path, `it is the segment of generation ${header.generation} under another name`)
  return header
}

async function readFooter(file: File, header: SegmentHeader, crc32c: Crc32c): Promise<SegmentFooter | undefined> {
  const bytes = Buffer.alloc(SEGMENT_FOOTER_BYTES)
  await readFully(file, bytes, indexStart(header.segmentBytes, 0))
  return decodeSegmentFooter(bytes, header, crc32c)
}

function closed(path: string, header: SegmentHeader, footer: SegmentFooter): StoredSegment {
  const segment = new Segment(path, header, footer.first, footer.previousChecksum, header.segmentBytes)
  segment.count = footer.count
  segment.kept = footer.count
  segment.end = footer.end
  segment.bodyBytes = footer.bodyBytes
  segment.lastChecksum = footer.lastChecksum
  segment.isClosed = true
  return { segment, tail: 'closed', lastEpoch: 0, firstUnsynced: 0 }
}

async function scanned(
  file: File,
  path: string,
  header: SegmentHeader,
  sizes: FileSizes,
  expected: ExpectedFrames,
  crc32c: Crc32c,
): Promise<StoredSegment> {
  const scan = await scanSegment(file, header, expected, crc32c)
  const { tail, start, positions } = scan
  if (tail.kind === 'damaged') {
    const seq = start.seq + positions.count
    throw corrupt(
      path,
      `the frame at byte ${scan.end} (journal sequence ${seq}) is damaged, while a later one, at byte ${tail.validFrameAt}, is whole`,
    )
  }
  const filledEnd = sizes.allocatedBytes >= header.segmentBytes ? header.segmentBytes : aligned(scan.end, 4096)
  const segment = new Segment(path, header, start.seq, start.previousChecksum, filledEnd)
  segment.positions = positions
  segment.count = positions.count
  segment.kept = positions.count
  segment.end = scan.end
  segment.bodyBytes = scan.bodyBytes
  segment.lastChecksum = scan.lastChecksum
  return { segment, tail: tail.kind, lastEpoch: scan.lastEpoch, firstUnsynced: scan.firstUnsynced }
}
