// hot path (bench/src/peers/compare-kafka.ts, consume)
import type { Place } from './frame-finder.ts'
import type { FrameHeader } from './frame.ts'

/** More than readers in order are likely to be in the middle of. */
const HEADERS_MAX = 256
const FIELDS = 8

/**
 * Headers of large frames that were found whole: who reads such a frame part by part needs its header only once. The newer of
 * two whose sequences share a slot replaces the other. As numbers: objects would outlive the young generation of the garbage collector,
 * each of them, and die right after.
 */
export class RecentHeaders {
  /** By sequence modulo their number: where the frame begins, and its header. */
  readonly #fields: Float64Array = new Float64Array(HEADERS_MAX * FIELDS).fill(-1)

  /** @param place where the frame is taken to be: one that was found elsewhere is another */
  find(seq: number, { start }: Place): FrameHeader | undefined {
    const at = (seq % HEADERS_MAX) * FIELDS
    const fields = this.#fields
    if (fields[at] !== start || fields[at + 1] !== seq) return undefined
    return {
      seq,
      bodyBytes: fields[at + 2]!,
      epoch: fields[at + 3]!,
      previousChecksum: fields[at + 4]!,
      bodyChecksum: fields[at + 5]!,
      unsynced: fields[at + 6]!,
      headerChecksum: fields[at + 7]!,
    }
  }

  keep({ start }: Place, header: FrameHeader): void {
    const at = (header.seq % HEADERS_MAX) * FIELDS
    const fields = this.#fields
    fields[at] = start
    fields[at + 1] = header.seq
    fields[at + 2] = header.bodyBytes
    fields[at + 3] = header.epoch
    fields[at + 4] = header.previousChecksum
    fields[at + 5] = header.bodyChecksum
    fields[at + 6] = header.unsynced
    fields[at + 7] = header.headerChecksum
  }
}
