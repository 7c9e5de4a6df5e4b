// hot path (packages/broker/test/kafka/throughput.mjs)
/** Larger pieces are passed on as they are. */
const COPIED_BYTES_MAX = 1024
const INITIAL_BYTES = 256

/** Writes the primitive types of the Kafka protocol into a list of chunks. */
export class MessageWriter {
  #bytes: Uint8Array
  #view: DataView
  #start = 0
  #at = 0
  readonly #chunks: Uint8Array[] = []
  #chunkBytes = 0

  constructor(initialBytes: number = INITIAL_BYTES) {
    this.#bytes = new Uint8Array(initialBytes)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#chunkBytes + this.#at - this.#start
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.#room(1)
    this.#view.setInt8(at, value)
  }

  int16(value: number): void {
    const at = this.#room(2)
    this.#view.setInt16(at, value)
  }

  int32(value: number): void {
    const at = this.#room(4)
    this.#view.setInt32(at, value)
  }

  int64(value: number): void {
    const at = this.#room(8)
    this.#view.setInt32(at, Math.floor(value / 4_294_967_296))
    this.#view.setUint32(at + 4, value >>> 0)
  }

  float64(value: number): void {
    const at = this.#room(8)
    this.#view.setFloat64(at, value)
  }

  uuid(text: string): void {
    const at = this.#room(16)
    for (let n = 0; n < 16; n++) this.#bytes[at + n] = (digit(text, 2 * n) << 4) | digit(text, 2 * n + 1)
  }

  uvarint(value: number): void {
    let left = value
    while (left > 0x7f) {
      this.#byte((left & 0x7f) | 0x80)
      left = Math.floor(left / 128)
    }
    this.#byte(left)
  }

  /** The bytes must not change before they are sent. */
  raw(bytes: Uint8Array): void {
    if (bytes.length <= COPIED_BYTES_MAX) {
      const at = this.#room(bytes.length)
      this.#bytes.set(bytes, at)
      return
    }
    this.#cut()
    this.#chunks.push(bytes)
    this.#chunkBytes += bytes.length
  }

  /** Everything that was written, in order. Nothing may be written after it. */
  take(): readonly Uint8Array[] {
    this.#cut()
    return this.#chunks
  }

  #byte(value: number): void {
    const at = this.#room(1)
    this.#bytes[at] = value
  }

  #cut(): void {
    if (this.#at === this.#start) return
    this.#chunks.push(this.#bytes.subarray(this.#start, this.#at))
    this.#chunkBytes += this.#at - this.#start
    this.#start = this.#at
  }

  /** @returns where the next `bytes` bytes go; the buffer may be another one after it */
  #room(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#bytes.length) {
      const used = at - this.#start
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, used + bytes))
      grown.set(this.#bytes.subarray(this.#start, at))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
      this.#start = 0
      this.#at = used + bytes
      return used
    }
    this.#at = at + bytes
    return at
  }
}

/** Of lower-case hexadecimal. */
function digit(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code <= 57 ? code - 48 : code - 87
}
