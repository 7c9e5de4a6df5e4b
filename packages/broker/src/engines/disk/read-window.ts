import { MIB } from '../../base/units.ts'
import type { File } from './file-system.ts'
import { readFully } from './whole-transfers.ts'

const WINDOW_BYTES: number = MIB

/** A view that moves forward over a file, so that small pieces cost no read each. Beyond the end of the file there are zeros. */
export class ReadWindow {
  readonly #file: File
  readonly bytes: Buffer
  /** Position in the file of bytes[0]. */
  start = 0
  /** Position in the file of the end of `bytes`. */
  end = 0

  constructor(file: File, bytesMax: number) {
    this.#file = file
    this.bytes = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, bytesMax))
  }

  holds(position: number, length: number): boolean {
    return position >= this.start && position + length <= this.end
  }

  async load(position: number): Promise<void> {
    await readFully(this.#file, this.bytes, position)
    this.start = position
    this.end = position + this.bytes.length
  }
}
