import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import { COMMIT_HEADER_BYTES, corrupt, readCommitHeader, type CommitHeader } from './commit-format.ts'
import type { RecentHeads } from './recent-heads.ts'

export interface CommitDirectory {
  readonly header: CommitHeader
  readonly directory: Uint8Array
}

/** Reads commits' headers and directories back, not their payloads. */
export class CommitReader {
  readonly #journal: Journal
  readonly #crc32c: Crc32c
  readonly #recent: RecentHeads | undefined
  /** How much to read at first: what the last directory would have needed. */
  #guessBytes = 4096

  /** @param recent saves reading the heads in it */
  constructor(journal: Journal, crc32c: Crc32c, recent?: RecentHeads) {
    this.#journal = journal
    this.#crc32c = crc32c
    this.#recent = recent
  }

  /** @throws MillraceError `data_corrupt`, `offset_out_of_range` */
  async header(seq: number): Promise<CommitHeader> {
    return readCommitHeader(await this.#journal.read(seq, 0, COMMIT_HEADER_BYTES), seq, this.#crc32c)
  }

  /** @throws MillraceError `data_corrupt`, `offset_out_of_range` */
  async directory(seq: number): Promise<CommitDirectory> {
    const front = this.#recent?.find(seq) ?? (await this.#journal.read(seq, 0, this.#guessBytes))
    const header = readCommitHeader(front, seq, this.#crc32c)
    const end = COMMIT_HEADER_BYTES + header.directoryLength
    this.#guessBytes = Math.min(GUESS_BYTES_MAX, Math.max(1024, end + (end >>> 3)))
    let directory: Uint8Array
    if (front.length >= end) directory = front.subarray(COMMIT_HEADER_BYTES, end)
    else directory = await this.#journal.read(seq, COMMIT_HEADER_BYTES, header.directoryLength)
    if (directory.length !== header.directoryLength || this.#crc32c(directory) !== header.directoryCrc) {
      throw corrupt(seq, 'the checksum of its directory does not match')
    }
    return { header, directory }
  }

  /** The directories of the commits `first..last`, read ahead. */
  async *directories(first: number, last: number): AsyncGenerator<CommitDirectory> {
    const ahead: Promise<CommitDirectory>[] = []
    let next = first
    try {
      while (next <= last || ahead.length > 0) {
        while (next <= last && ahead.length < READ_AHEAD) {
          const directory = this.directory(next++)
          // Its turn comes: until then a failure is not an unhandled one.
          directory.catch(() => undefined)
          ahead.push(directory)
        }
        yield await ahead.shift()!
      }
    } finally {
      await Promise.allSettled(ahead)
    }
  }
}

const GUESS_BYTES_MAX = 256 * 1024
const READ_AHEAD = 8
