import { KIB } from '../../base/units.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { File } from './file-system.ts'
import { encodeSegmentFooter, indexStart } from './segment-format.ts'
import type { Segment } from './segment.ts'
import { writeFully } from './whole-transfers.ts'

const PIECE_ENTRIES: number = 256 * KIB

/**
 * Writes the index and the footer of a segment to which nothing is added any more; a later segment must exist. The index may be
 * torn by a crash under a footer that is whole: a reader checks what an entry leads to.
 */
export async function closeSegment(segment: Segment, file: File, crc32c: Crc32c): Promise<void> {
  const { header, first, count, end, bodyBytes, previousChecksum, lastChecksum } = segment
  const { generation, salt, segmentBytes } = header
  const start = indexStart(segmentBytes, count)
  for (let from = 0; from < count; from += PIECE_ENTRIES) {
    const to = Math.min(from + PIECE_ENTRIES, count)
    await writeFully(file, segment.positions!.encode(from, to), start + from * 4)
  }
  const footer = { generation, salt, first, count, end, bodyBytes, previousChecksum, lastChecksum }
  await writeFully(file, encodeSegmentFooter(footer, crc32c), indexStart(segmentBytes, 0))
  await file.sync()
  segment.isClosed = true
  segment.positions = undefined
}
