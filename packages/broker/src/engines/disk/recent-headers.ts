import type { Place } from './frame-finder.ts'
import type { FrameHeader } from './frame.ts'

/** More than readers in order are likely to be in the middle of. */
const HEADERS_MAX = 256

/** Headers of large frames that were found whole: who reads such a frame part by part needs its header only once. */
export class RecentHeaders {
  /** By sequence; the oldest first. */
  readonly #all = new Map<number, { readonly start: number; readonly header: FrameHeader }>()

  /** @param place where the frame is taken to be: one that was found elsewhere is another */
  find(seq: number, { start }: Place): FrameHeader | undefined {
    const found = this.#all.get(seq)
    return found?.start === start ? found.header : undefined
  }

  keep({ start }: Place, header: FrameHeader): void {
    this.#all.set(header.seq, { start, header })
    if (this.#all.size > HEADERS_MAX) this.#all.delete(this.#all.keys().next().value!)
  }
}
