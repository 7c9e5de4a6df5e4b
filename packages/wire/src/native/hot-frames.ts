// hot path (bench/src/native.ts)
/**
 * `publish`, `confirm`, `deliver` and `settle` without intermediate objects. Layouts: docs/formats/native-protocol.md;
 * `hot-frames.test.ts` proves that they agree with the schemas. A reader object is filled again and again by `read`.
 */
import { frameSchemas, ProtocolError } from './frames.ts'
import type { FrameReader } from './frame-reader.ts'
import type { FrameWriter } from './frame-writer.ts'

const EMPTY: Uint8Array = new Uint8Array(0)
const EMPTY_VIEW: DataView = new DataView(EMPTY.buffer)

/** Where the frame that a `FrameReader` stands on lies. */
type FrameBytes = Pick<FrameReader, 'bytes' | 'view' | 'start' | 'end'>

export class PublishFrame {
  publisher = 0
  partition = 0
  /** A view of the frame. */
  batch: Uint8Array = EMPTY

  /** @throws ProtocolError */
  read(frame: FrameBytes): void {
    const { bytes, view, start, end } = frame
    if (end - start < 9) throw new ProtocolError('`publish` ends early.')
    this.publisher = view.getUint32(start + 1)
    this.partition = view.getInt32(start + 5)
    this.batch = new Uint8Array(bytes.buffer, bytes.byteOffset + start + 9, end - start - 9)
  }
}

/** A large batch is passed on without a copy: it must not change any more. */
export function writePublish(writer: FrameWriter, publisher: number, partition: number, batch: Uint8Array): void {
  writer.begin(frameSchemas.publish.opcode)
  writer.u32(publisher)
  writer.i32(partition)
  writer.endWith(batch)
}

/** As `writePublish`. @param dueMs when it is published, milliseconds since 1970 */
export function writePublishLater(
  writer: FrameWriter,
  publisher: number,
  partition: number,
  dueMs: number,
  batch: Uint8Array,
): void {
  writer.begin(frameSchemas.publishLater.opcode)
  writer.u32(publisher)
  writer.i32(partition)
  writer.f64(dueMs)
  writer.endWith(batch)
}

export class ConfirmFrame {
  count = 0
  #view: DataView = EMPTY_VIEW
  #at = 0

  /** @throws ProtocolError */
  read(frame: FrameBytes): void {
    const { view, start, end } = frame
    if (end - start < 5) throw new ProtocolError('`confirm` ends early.')
    this.count = view.getUint32(start + 1)
    if (end - start - 5 !== this.count * 8)
      throw new ProtocolError(`\`confirm\` counts ${this.count} offsets but holds another number.`)
    this.#view = view
    this.#at = start + 5
  }

  /** Base offset of the n-th publish that is confirmed by this; NaN for one that was refused. */
  baseOffset(n: number): number {
    return this.#view.getFloat64(this.#at + n * 8)
  }
}

export class DeliverFrame {
  consumer = 0
  partition = 0
  baseOffset = 0
  firstDelta = 0
  lastDelta = 0
  attempt = 0
  /** A view of the frame. */
  batch: Uint8Array = EMPTY

  /** @throws ProtocolError */
  read(frame: FrameBytes): void {
    const { bytes, view, start, end } = frame
    if (end - start < 29) throw new ProtocolError('`deliver` ends early.')
    this.consumer = view.getUint32(start + 1)
    this.partition = view.getUint32(start + 5)
    this.baseOffset = view.getFloat64(start + 9)
    this.firstDelta = view.getUint32(start + 17)
    this.lastDelta = view.getUint32(start + 21)
    this.attempt = view.getUint32(start + 25)
    this.batch = new Uint8Array(bytes.buffer, bytes.byteOffset + start + 29, end - start - 29)
    if (!Number.isSafeInteger(this.baseOffset) || this.baseOffset < 0)
      throw new ProtocolError('`deliver` has no valid base offset.')
    if (this.lastDelta < this.firstDelta)
      throw new ProtocolError(`\`deliver\` has a range from ${this.firstDelta} to ${this.lastDelta}.`)
  }
}

/** A large batch is passed on without a copy: it must not change any more. */
export function writeDeliver(
  writer: FrameWriter,
  consumer: number,
  partition: number,
  baseOffset: number,
  firstDelta: number,
  lastDelta: number,
  attempt: number,
  batch: Uint8Array,
): void {
  writer.begin(frameSchemas.deliver.opcode)
  writer.u32(consumer)
  writer.u32(partition)
  writer.f64(baseOffset)
  writer.u32(firstDelta)
  writer.u32(lastDelta)
  writer.u32(attempt)
  writer.endWith(batch)
}

const SETTLE_HEADER_BYTES = 8
const SETTLE_RANGE_BYTES = 24
export const SETTLE_RANGES_MAX = 0xffff

export class SettleFrame {
  consumer = 0
  outcome = 0
  count = 0
  /** Of the range that `range(n)` moved to. */
  partition = 0
  first = 0
  last = 0
  attempt = 0
  /** Where the options lie inside the frame, or `end` where there are none. */
  optionsAt = 0
  #view: DataView = EMPTY_VIEW
  #at = 0

  /** Checks every range, so that a frame is taken whole or not at all. @throws ProtocolError */
  read(frame: FrameBytes): void {
    const { view, start, end } = frame
    if (end - start < SETTLE_HEADER_BYTES) throw new ProtocolError('`settle` ends early.')
    this.consumer = view.getUint32(start + 1)
    this.outcome = view.getUint8(start + 5)
    this.count = view.getUint16(start + 6)
    this.#view = view
    this.#at = start + SETTLE_HEADER_BYTES
    this.optionsAt = this.#at + this.count * SETTLE_RANGE_BYTES
    if (this.optionsAt > end) throw new ProtocolError('`settle` ends early.')
    for (let n = 0; n < this.count; n++) {
      this.range(n)
      if (!isOffset(this.first) || !isOffset(this.last) || this.last < this.first) {
        throw new ProtocolError(`\`settle\` has a range from ${this.first} to ${this.last}.`)
      }
    }
  }

  /** Shows the n-th range in `partition`, `first`, `last` and `attempt`. */
  range(n: number): void {
    const at = this.#at + n * SETTLE_RANGE_BYTES
    this.partition = this.#view.getUint32(at)
    this.first = this.#view.getFloat64(at + 4)
    this.last = this.#view.getFloat64(at + 12)
    this.attempt = this.#view.getUint32(at + 20)
  }
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** Begins a `settle` frame: then `count` times `writeSettleRange`, `writer.json` where the outcome has options, `writer.end`. */
export function beginSettle(writer: FrameWriter, consumer: number, outcome: number, count: number): void {
  writer.begin(frameSchemas.settle.opcode)
  writer.u32(consumer)
  writer.u8(outcome)
  writer.u16(count)
}

export function writeSettleRange(writer: FrameWriter, partition: number, first: number, last: number, attempt: number): void {
  writer.u32(partition)
  writer.f64(first)
  writer.f64(last)
  writer.u32(attempt)
}
