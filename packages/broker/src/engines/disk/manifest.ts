/**
 * The small facts about a journal that its segments cannot tell (docs/formats/journal.md, "Manifest"). Two slots are overwritten
 * in turn, in place, so that an update needs neither space on a full disk nor a rename, and a torn one leaves the other slot.
 */
import { join } from 'node:path'
import { MillraceError } from '../../base/errors.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { File, FileSystem } from './file-system.ts'
import { readFully, writeFully } from './whole-transfers.ts'

export interface ManifestFacts {
  /** Incremented at each open; frames carry the epoch they were written in. */
  readonly epoch: number
  /** Every sequence below this was durable when the manifest was written: a journal that ends earlier is damaged. */
  readonly durableNext: number
  /** Written by a clean end alone: no write was under way, so nothing that counts follows the last frame. A start takes it away. */
  readonly endedCleanly?: boolean | undefined
  /** Generations of segments that were given back, as inclusive ranges in order. */
  readonly freed: readonly (readonly [from: number, to: number])[]
}

export const MANIFEST_NAME = 'manifest'
/** So many ranges of freed generations fit a slot. */
export const FREED_RANGES_MAX = 512

const NEW_NAME = 'manifest.new'
const VERSION = 1
const SLOT_BYTES = 16 * 1024
const SLOT_HEADER_BYTES = 16
const MAGIC = 0x314d524d // 'MRM1'

interface SlotContent extends ManifestFacts {
  readonly version: number
  readonly counter: number
}

export class Manifest {
  readonly #file: File
  readonly #crc32c: Crc32c
  #counter: number
  facts: ManifestFacts

  private constructor(file: File, crc32c: Crc32c, counter: number, facts: ManifestFacts) {
    this.#file = file
    this.#crc32c = crc32c
    this.#counter = counter
    this.facts = facts
  }

  /** Writes the manifest of a new, empty journal. */
  static async create(fileSystem: FileSystem, directory: string, crc32c: Crc32c): Promise<Manifest> {
    const path = join(directory, NEW_NAME)
    const file = await fileSystem.open(path, true)
    const manifest = new Manifest(file, crc32c, 0, { epoch: 0, durableNext: 0, freed: [] })
    await manifest.write(manifest.facts)
    await manifest.write(manifest.facts)
    await fileSystem.rename(path, join(directory, MANIFEST_NAME))
    await fileSystem.syncDirectory(directory)
    return manifest
  }

  /** Removes what an interrupted `create` left. */
  static async removeUnfinished(fileSystem: FileSystem, directory: string, names: readonly string[]): Promise<void> {
    if (names.includes(NEW_NAME)) await fileSystem.remove(join(directory, NEW_NAME))
  }

  /**
   * @param onWarning told of a slot that is damaged: with the other one the journal opens, and without it does not
   * @throws MillraceError `data_corrupt`, `data_unusable`
   */
  static async open(
    fileSystem: FileSystem,
    directory: string,
    crc32c: Crc32c,
    onWarning: (message: string) => void,
  ): Promise<Manifest> {
    const path = join(directory, MANIFEST_NAME)
    const file = await fileSystem.open(path, false)
    const bytes = Buffer.alloc(2 * SLOT_BYTES)
    await readFully(file, bytes, 0)
    const slots = [decodeSlot(bytes.subarray(0, SLOT_BYTES), crc32c), decodeSlot(bytes.subarray(SLOT_BYTES), crc32c)]
    const newest = slots.filter((slot) => slot !== undefined).toSorted((a, b) => b.counter - a.counter)[0]
    if (newest === undefined) {
      await file.close()
      throw new MillraceError('data_corrupt', `${path} is damaged: restore the data directory from a backup`)
    }
    if (newest.version > VERSION) {
      await file.close()
      throw new MillraceError(
        'data_unusable',
        `${path} was written by a newer Millrace (format ${newest.version}, this one knows ${VERSION}): start that version, or use another directory`,
      )
    }
    const damaged = slots.indexOf(undefined)
    if (damaged < 0) return new Manifest(file, crc32c, newest.counter, newest)
    onWarning(`${path}: ${damagedSlot(damaged)}`)
    // The other one may be that of a start after the clean end.
    return new Manifest(file, crc32c, newest.counter, { ...newest, endedCleanly: false })
  }

  /** Makes `facts` durable. One write at a time. */
  async write(facts: ManifestFacts): Promise<void> {
    this.#counter++
    const { epoch, durableNext, endedCleanly, freed } = facts
    const content = { version: VERSION, counter: this.#counter, epoch, durableNext, endedCleanly, freed }
    const slot = encodeSlot(content, this.#crc32c)
    await writeFully(this.#file, slot, (this.#counter % 2) * SLOT_BYTES)
    await this.#file.sync()
    this.facts = facts
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function damagedSlot(index: number): string {
  const at = `bytes ${index * SLOT_BYTES} to ${(index + 1) * SLOT_BYTES - 1} are damaged; the other copy is used, and this one written anew`
  return `${at}. A machine that stops in the middle of a write leaves that; if it did not, check the disk, and see that there is a backup`
}

function encodeSlot(content: SlotContent, crc32c: Crc32c): Buffer {
  const text = Buffer.from(JSON.stringify(content))
  const slot = Buffer.alloc(SLOT_BYTES)
  slot.writeUInt32LE(MAGIC, 0)
  slot.writeUInt32LE(text.length, 4)
  slot.writeUInt32LE(crc32c(text), 8)
  text.copy(slot, SLOT_HEADER_BYTES)
  return slot
}

function decodeSlot(slot: Buffer, crc32c: Crc32c): SlotContent | undefined {
  if (slot.readUInt32LE(0) !== MAGIC) return undefined
  const length = slot.readUInt32LE(4)
  if (length > SLOT_BYTES - SLOT_HEADER_BYTES) return undefined
  const text = slot.subarray(SLOT_HEADER_BYTES, SLOT_HEADER_BYTES + length)
  return crc32c(text) === slot.readUInt32LE(8) ? (JSON.parse(text.toString()) as SlotContent) : undefined
}
