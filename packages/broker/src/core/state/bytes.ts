/** Varints and blobs of the state log (docs/formats/state-log.md). Numbers are safe integers. */
// hot path (packages/broker/test/core/throughput.mjs)

const INITIAL_BYTES = 1024
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Gathers bytes in one growing buffer; reusable after `clear`. */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(INITIAL_BYTES)
  #length = 0

  get length(): number {
    return this.#length
  }

  clear(): void {
    this.#length = 0
  }

  /** What was written so far: a view, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  /** An integer in 0..2^53-1, low 7 bits first. */
  varint(value: number): void {
    this.#room(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = rest > 0x7fffffff ? Math.floor(rest / 0x80) : rest >>> 7
    }
    this.#bytes[this.#length++] = rest
  }

  /** An integer in -2^52..2^52. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  /** A text with its length before it. */
  text(value: string): void {
    const bytes = encoder.encode(value)
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** A text that takes the rest of the record. */
  rest(value: string): void {
    this.raw(encoder.encode(value))
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #room(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Thrown when bytes of the state log do not have the form they should have. */
export class StateFormatError extends Error {
  override readonly name = 'StateFormatError'
}

export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** @throws StateFormatError */
  byte(): number {
    const value = this.#bytes[this.#at++]
    if (value === undefined) throw new StateFormatError('a state record ends early')
    return value
  }

  /** @throws StateFormatError */
  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
      if (scale > 2 ** 49) throw new StateFormatError('a varint does not end')
    }
  }

  /** @throws StateFormatError */
  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** @throws StateFormatError */
  text(): string {
    const length = this.varint()
    if (length > this.left) throw new StateFormatError('a text leaves its state record')
    this.#at += length
    return decoder.decode(this.#bytes.subarray(this.#at - length, this.#at))
  }
}
