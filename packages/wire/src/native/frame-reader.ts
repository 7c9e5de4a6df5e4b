// hot path (bench/src/native.ts)
import { BufferPool } from '../buffer-pool.ts'
import { ProtocolError } from './frames.ts'

const LENGTH_BYTES = 4
/** Larger buffers are not kept for every connection. */
const KEPT_BYTES_MAX = 256 * 1024
/** But a few for all of them. */
const largeBuffers = new BufferPool(8 * 1024 * 1024)

/**
 * Cuts a byte stream into frames. A frame that lies whole in a chunk is shown in place; one that spans chunks is gathered
 * in a buffer of exactly its length, after that length was checked.
 *
 *     reader.feed(chunk)
 *     while (reader.next()) handle(reader.bytes, reader.view, reader.start, reader.end)
 *
 * The bytes of a frame belong to the chunk they came in: they live as long as the caller lets chunks live. A gathered frame is
 * the reader's gift, unless the reader was told that frames are only borrowed until `next()`: then its buffer is used
 * again, because memory that large frames take anew makes the garbage collector run all the time.
 */
export class FrameReader {
  /** What holds the current frame, and a view of the same bytes. */
  bytes: Uint8Array = EMPTY
  view: DataView = EMPTY_VIEW
  /** Where the frame's opcode is, and one past the frame's last byte. */
  start = 0
  end = 0
  /** Largest length that a frame may declare, in bytes. Raised after authentication. */
  frameBytesMax: number

  #chunk: Uint8Array = EMPTY
  #chunkView: DataView = EMPTY_VIEW
  #at = 0
  #gathered: Uint8Array | undefined
  #gatheredBytes = 0
  readonly #length = new Uint8Array(LENGTH_BYTES)
  #lengthBytes = 0
  readonly #borrowed: boolean
  /** The buffer to use again. */
  #kept: Uint8Array = EMPTY
  /** The one that others use after the frame that is in it. */
  #large: ArrayBuffer | undefined

  /** @param borrowed whether the bytes of a frame may go away with the following `next()` */
  constructor(frameBytesMax: number, borrowed = false) {
    this.frameBytesMax = frameBytesMax
    this.#borrowed = borrowed
  }

  /** Gives the next piece of the stream. The one before must be used up: `next()` returned false. */
  feed(chunk: Uint8Array): void {
    // Views of a plain Uint8Array are cheaper to make than those of its subclasses (Buffer).
    this.#chunk = chunk.constructor === Uint8Array ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
    this.#chunkView = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
    this.#at = 0
  }

  /** Moves to the next whole frame. @throws ProtocolError for a length of zero or above the limit */
  next(): boolean {
    if (this.#gathered !== undefined) return this.#gather()
    if (this.#large !== undefined) this.#giveBackLarge(this.#large)
    if (this.#lengthBytes > 0) return this.#spanningLength()

    const at = this.#at
    const left = this.#chunk.length - at
    if (left < LENGTH_BYTES) {
      for (let n = at; n < this.#chunk.length; n++) this.#length[this.#lengthBytes++] = this.#chunk[n]!
      this.#forgetChunk()
      return false
    }
    const length = this.#chunkView.getUint32(at)
    this.#check(length)
    if (left - LENGTH_BYTES < length) {
      this.#at = at + LENGTH_BYTES
      this.#startGathering(length)
      return this.#gather()
    }
    this.bytes = this.#chunk
    this.view = this.#chunkView
    this.start = at + LENGTH_BYTES
    this.end = this.#at = this.start + length
    return true
  }

  /** Whether a frame has begun and is not complete. */
  get midFrame(): boolean {
    return this.#gathered !== undefined || this.#lengthBytes > 0
  }

  #spanningLength(): boolean {
    while (this.#lengthBytes < LENGTH_BYTES && this.#at < this.#chunk.length) {
      this.#length[this.#lengthBytes++] = this.#chunk[this.#at++]!
    }
    if (this.#lengthBytes < LENGTH_BYTES) {
      this.#forgetChunk()
      return false
    }
    const length = new DataView(this.#length.buffer).getUint32(0)
    this.#check(length)
    this.#lengthBytes = 0
    this.#startGathering(length)
    return this.#gather()
  }

  #startGathering(length: number): void {
    this.#gatheredBytes = 0
    if (!this.#borrowed) this.#gathered = new Uint8Array(length)
    else if (length > KEPT_BYTES_MAX) {
      this.#large = largeBuffers.take(length)
      this.#gathered = new Uint8Array(this.#large, 0, length)
    } else {
      if (this.#kept.length < length)
        this.#kept = new Uint8Array(Math.max(length, Math.min(2 * this.#kept.length, KEPT_BYTES_MAX)))
      this.#gathered = new Uint8Array(this.#kept.buffer, 0, length)
    }
  }

  #gather(): boolean {
    const gathered = this.#gathered!
    const take = Math.min(gathered.length - this.#gatheredBytes, this.#chunk.length - this.#at)
    gathered.set(new Uint8Array(this.#chunk.buffer, this.#chunk.byteOffset + this.#at, take), this.#gatheredBytes)
    this.#gatheredBytes += take
    this.#at += take
    if (this.#gatheredBytes < gathered.length) {
      this.#forgetChunk()
      return false
    }
    this.#gathered = undefined
    this.bytes = gathered
    this.view = new DataView(gathered.buffer, 0, gathered.length)
    this.start = 0
    this.end = gathered.length
    return true
  }

  #giveBackLarge(buffer: ArrayBuffer): void {
    this.#large = undefined
    this.bytes = EMPTY
    this.view = EMPTY_VIEW
    largeBuffers.giveBack(buffer)
  }

  #check(length: number): void {
    if (length === 0) throw new ProtocolError('A frame of length 0: every frame has at least an opcode.')
    if (length > this.frameBytesMax) {
      throw new ProtocolError(`A frame of ${length} bytes; at most ${this.frameBytesMax} are allowed.`, 'record_too_large')
    }
  }

  /** An idle connection must not keep the last chunk alive. */
  #forgetChunk(): void {
    this.#chunk = this.bytes = EMPTY
    this.#chunkView = this.view = EMPTY_VIEW
    this.#at = 0
  }
}

const EMPTY: Uint8Array = new Uint8Array(0)
const EMPTY_VIEW: DataView = new DataView(EMPTY.buffer)
