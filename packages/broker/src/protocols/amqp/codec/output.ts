// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { encodeName } from '@millrace/wire'
import { FRAME_BODY, FRAME_END, FRAME_HEADER_BYTES, FRAME_METHOD, FRAME_OVERHEAD_BYTES } from './frame-reader.ts'

const SLAB_BYTES_MIN = 512
const SLAB_BYTES_MAX = 65_536
/** Pieces of bodies from this size on travel as chunks of their own instead of being copied. */
export const PASS_THROUGH_BYTES_MIN = 8192
/** Below this a loop is faster than the call of set(). */
const SHORT_BYTES = 24
const EMPTY: Uint8Array = new Uint8Array(0)

/**
 * Gathers frames until `take` hands them over for one write. What was taken is never written again by this side: the writer
 * goes on behind it in the same slab.
 *
 *     output.begin(FRAME_METHOD, channel); output.u16(...); output.shortString(...); output.end()
 */
export class Output {
  /** For whoever writes frames of known size at once: `reserve`, then from `at` on; then it moves `at` and calls `sealFrame`. */
  slab: Uint8Array = EMPTY
  at = 0
  /** First byte of the slab that was not handed over; where the open frame begins. */
  #first = 0
  #frame = 0
  #chunks: Uint8Array[] = []
  #chunkBytes = 0

  /** Bytes that `take` would hand over. */
  get bytes(): number {
    return this.#chunkBytes + this.at - this.#first
  }

  /** Hands over everything written since the last call, in order. Between frames only. */
  take(): Uint8Array[] {
    this.#seal()
    const chunks = this.#chunks
    this.#chunks = []
    this.#chunkBytes = 0
    return chunks
  }

  /** Lets go of the memory that an idle connection does not need. Between frames only. */
  release(): void {
    if (this.bytes > 0) return
    this.slab = EMPTY
    this.#first = this.#frame = this.at = 0
  }

  begin(type: number, channel: number): void {
    this.reserve(64)
    this.#frame = this.at
    const { slab, at } = this
    slab[at] = type
    slab[at + 1] = channel >>> 8
    slab[at + 2] = channel
    this.at = at + FRAME_HEADER_BYTES
  }

  beginMethod(channel: number, classId: number, methodId: number): void {
    this.begin(FRAME_METHOD, channel)
    this.u16(classId)
    this.u16(methodId)
  }

  end(): void {
    this.#writeSize(this.at - this.#frame - FRAME_HEADER_BYTES)
    this.u8(FRAME_END)
    this.#frame = this.at
  }

  /** What was written up to `at` are whole frames. */
  sealFrame(): void {
    this.#frame = this.at
  }

  /**
   * Body frames with `length` bytes of `bytes`, none larger than `frameBytesMax`. Large bodies are passed on as views: then these bytes must not
   * change any more.
   */
  body(channel: number, bytes: Uint8Array, at: number, length: number, frameBytesMax: number): void {
    const pieceMax = frameBytesMax - FRAME_OVERHEAD_BYTES
    for (let start = 0; start < length; start += pieceMax) {
      const piece = Math.min(pieceMax, length - start)
      if (piece < PASS_THROUGH_BYTES_MIN) {
        this.begin(FRAME_BODY, channel)
        this.copyRange(bytes, at + start, piece)
        this.end()
      } else {
        this.begin(FRAME_BODY, channel)
        this.#writeSize(piece)
        this.#seal()
        this.#chunks.push(bytes.subarray(at + start, at + start + piece))
        this.#chunkBytes += piece
        this.u8(FRAME_END)
        this.#frame = this.at
      }
    }
  }

  u8(value: number): void {
    this.reserve(1)
    this.slab[this.at++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    const { slab, at } = this
    slab[at] = value >>> 8
    slab[at + 1] = value
    this.at = at + 2
  }

  u32(value: number): void {
    this.reserve(4)
    const { slab, at } = this
    slab[at] = value >>> 24
    slab[at + 1] = value >>> 16
    slab[at + 2] = value >>> 8
    slab[at + 3] = value
    this.at = at + 4
  }

  u64(value: number): void {
    this.u32(Math.floor(value / 4_294_967_296))
    this.u32(value >>> 0)
  }

  /** @throws RangeError above 255 bytes: a bug of the caller, who limits names */
  shortString(value: string): void {
    const bytes = encodeName(value)
    if (bytes.length > 0xff) throw new RangeError(`a text of ${bytes.length} bytes does not fit its length field`)
    this.u8(bytes.length)
    this.copy(bytes)
  }

  longString(bytes: Uint8Array): void {
    this.u32(bytes.length)
    this.copy(bytes)
  }

  copy(bytes: Uint8Array): void {
    this.copyRange(bytes, 0, bytes.length)
  }

  copyRange(bytes: Uint8Array, from: number, length: number): void {
    this.reserve(length)
    const { slab, at } = this
    if (length < SHORT_BYTES) for (let n = 0; n < length; n++) slab[at + n] = bytes[from + n]!
    else slab.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), at)
    this.at = at + length
  }

  /** Makes room for so many bytes from `at` on. */
  reserve(more: number): void {
    if (this.at + more > this.slab.length) this.#grow(more)
  }

  #writeSize(size: number): void {
    const { slab } = this
    const at = this.#frame + 3
    slab[at] = size >>> 24
    slab[at + 1] = size >>> 16
    slab[at + 2] = size >>> 8
    slab[at + 3] = size
  }

  /** A new slab; the frame that is open moves there, because its size is written last. */
  #grow(more: number): void {
    const open = this.slab.subarray(this.#frame, this.at)
    this.at = this.#frame
    this.#seal()
    const usual = Math.min(SLAB_BYTES_MAX, Math.max(SLAB_BYTES_MIN, this.slab.length * 2))
    // An open frame that keeps growing doubles, so that its bytes move a bounded number of times.
    this.slab = new Uint8Array(Math.max(usual, (open.length + more) * 2))
    this.slab.set(open)
    this.#first = this.#frame = 0
    this.at = open.length
  }

  #seal(): void {
    if (this.at > this.#first) {
      this.#chunks.push(this.slab.subarray(this.#first, this.at))
      this.#chunkBytes += this.at - this.#first
    }
    this.#first = this.#frame = this.at
  }
}
