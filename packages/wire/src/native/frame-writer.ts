// hot path (bench/src/native.ts)

const SLAB_BYTES_MIN = 512
const SLAB_BYTES_MAX = 65_536
/** Payloads from this size on travel as a chunk of their own instead of being copied. */
const PASS_THROUGH_BYTES_MIN = 8192
const encoder = new TextEncoder()

/**
 * Gathers frames until `take` hands them over for one write. What was taken is never written again by this side: the
 * writer goes on behind it in the same slab.
 *
 *     writer.begin(opcode); writer.u32(...); writer.string(...); writer.end()
 */
export class FrameWriter {
  #slab: Uint8Array = EMPTY
  #view: DataView = new DataView(EMPTY.buffer)
  /** First byte of the slab that was not handed over; where the open frame begins; where the next byte goes. */
  #first = 0
  #frame = 0
  #at = 0
  #chunks: Uint8Array[] = []
  #chunkBytes = 0

  /** Bytes that `take` would hand over. */
  get bytes(): number {
    return this.#chunkBytes + this.#at - this.#first
  }

  /** Hands over everything written since the last call, in order. */
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
    this.#slab = EMPTY
    this.#view = new DataView(EMPTY.buffer)
    this.#first = this.#frame = this.#at = 0
  }

  begin(opcode: number): void {
    this.#reserve(64)
    this.#frame = this.#at
    this.#at += 4
    this.#slab[this.#at++] = opcode
  }

  end(): void {
    this.#view.setUint32(this.#frame, this.#at - this.#frame - 4)
    this.#frame = this.#at
  }

  /** Ends the frame with `payload`: copied when small; otherwise passed on as it is, and it must not change any more. */
  endWith(payload: Uint8Array): void {
    if (payload.length < PASS_THROUGH_BYTES_MIN) {
      this.copy(payload)
      this.end()
      return
    }
    this.#view.setUint32(this.#frame, this.#at - this.#frame - 4 + payload.length)
    this.#seal()
    this.#chunks.push(payload)
    this.#chunkBytes += payload.length
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#slab[this.#at++] = value
  }

  u16(value: number): void {
    this.#reserve(2)
    this.#view.setUint16(this.#at, value)
    this.#at += 2
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  i32(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#at, value)
    this.#at += 4
  }

  u64(value: number): void {
    this.u32(Math.floor(value / 4294967296))
    this.u32(value >>> 0)
  }

  f64(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.#at, value)
    this.#at += 8
  }

  /** @throws RangeError above 65,535 bytes: a bug of the caller, who limits names */
  string(value: string): void {
    const bytes = encoder.encode(value)
    if (bytes.length > 0xffff) throw new RangeError(`a string of ${bytes.length} bytes does not fit its length field`)
    this.u16(bytes.length)
    this.copy(bytes)
  }

  json(value: unknown): void {
    const bytes = encoder.encode(JSON.stringify(value))
    this.u32(bytes.length)
    this.copy(bytes)
  }

  copy(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#slab.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #reserve(more: number): void {
    if (this.#at + more > this.#slab.length) this.#grow(more)
  }

  /** A new slab; the frame that is open moves there, because its length field is written last. */
  #grow(more: number): void {
    const open = this.#slab.subarray(this.#frame, this.#at)
    this.#at = this.#frame
    this.#seal()
    const usual = Math.min(SLAB_BYTES_MAX, Math.max(SLAB_BYTES_MIN, this.#slab.length * 2))
    // An open frame that keeps growing doubles, so that its bytes move a bounded number of times.
    this.#slab = new Uint8Array(Math.max(usual, (open.length + more) * 2))
    this.#view = new DataView(this.#slab.buffer)
    this.#slab.set(open)
    this.#first = this.#frame = 0
    this.#at = open.length
  }

  #seal(): void {
    if (this.#at > this.#first) {
      this.#chunks.push(this.#slab.subarray(this.#first, this.#at))
      this.#chunkBytes += this.#at - this.#first
    }
    this.#first = this.#frame = this.#at
  }
}

const EMPTY: Uint8Array = new Uint8Array(0)
