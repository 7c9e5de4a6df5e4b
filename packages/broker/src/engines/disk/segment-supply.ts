/**
 * Makes the next segment ready before it is needed, from a file that was given back if there is one: overwriting space that
 * was written before is twice as fast, and it cannot run out of space.
 */
import { join } from 'node:path'
import type { Crc32c } from '../../ports/checksum.ts'
import type { Random } from '../../ports/platform.ts'
import { hasCode, isNoSpace, type File, type FileSystem } from './file-system.ts'
import {
  encodeSegmentHeader,
  FRAMES_START,
  segmentName,
  SEGMENT_VERSION,
  spareName,
  type SegmentHeader,
} from './segment-format.ts'
import { writeFully } from './whole-transfers.ts'

export interface SegmentSupplyOptions {
  readonly directory: string
  readonly segmentBytes: number
  /** Files kept for reuse; more are deleted. */
  readonly sparesMax: number
  readonly fileSystem: FileSystem
  readonly crc32c: Crc32c
  readonly random: Random
}

/** A file that waits to be used again. */
export interface Spare {
  readonly path: string
  /** Its space up to here is allocated. */
  readonly filledBytes: number
}

/** A segment without frames, durable under its name. */
export interface EmptySegment {
  readonly path: string
  readonly file: File
  readonly header: SegmentHeader
  readonly filledEnd: number
}

export class SegmentSupply {
  readonly #options: SegmentSupplyOptions
  readonly #spares: Spare[] = []
  #nextGeneration: number
  #prepared: EmptySegment | undefined
  #preparing: Promise<EmptySegment> | undefined

  constructor(
    options: SegmentSupplyOptions,
    nextGeneration: number,
    spares: readonly Spare[],
    prepared: EmptySegment | undefined,
  ) {
    this.#options = options
    this.#nextGeneration = nextGeneration
    this.#spares.push(...spares)
    this.#prepared = prepared
  }

  get isPrepared(): boolean {
    return this.#prepared !== undefined
  }

  /** Bytes in files at hand that need no more space on the disk. */
  get certainBytes(): number {
    let bytes = this.#prepared === undefined ? 0 : this.#prepared.filledEnd - FRAMES_START
    for (const spare of this.#spares) bytes += Math.max(0, spare.filledBytes - FRAMES_START)
    return bytes
  }

  /** Makes the next segment ready, unless it is. Rejects with the file system's error; it may be called again after ENOSPC. */
  async prepare(): Promise<void> {
    if (this.#prepared !== undefined) return
    this.#preparing ??= this.#make()
    try {
      this.#prepared = await this.#preparing
    } finally {
      this.#preparing = undefined
    }
  }

  /** Hands out the next segment. Same errors as `prepare`. */
  async take(): Promise<EmptySegment> {
    await this.prepare()
    const prepared = this.#prepared!
    this.#prepared = undefined
    return prepared
  }

  /** Takes back the file of a segment that is given back in the manifest and open nowhere. */
  async recycle(path: string, generation: number, segmentBytes: number, filledBytes: number): Promise<void> {
    const { fileSystem, directory, sparesMax } = this.#options
    if (segmentBytes !== this.#options.segmentBytes || this.#spares.length >= sparesMax) {
      await fileSystem.remove(path)
      return
    }
    const spare = join(directory, spareName(generation))
    await fileSystem.rename(path, spare)
    this.#spares.push({ path: spare, filledBytes })
  }

  /** Whether the next segment is ready and has space for `bytes` of frames, whatever the disk has left. */
  isCertainFor(bytes: number): boolean {
    return this.#prepared !== undefined && this.#prepared.filledEnd - FRAMES_START >= bytes
  }

  /** Gives the space of a spare file back to the file system. @returns false when there is none */
  async releaseSpare(): Promise<boolean> {
    const spare = this.#spares.pop()
    if (spare === undefined) return false
    await this.#options.fileSystem.remove(spare.path)
    return true
  }

  async close(): Promise<void> {
    await this.#preparing?.catch(() => undefined)
    await this.#prepared?.file.close()
  }

  async #make(): Promise<EmptySegment> {
    const { fileSystem, directory, segmentBytes, crc32c, random } = this.#options
    const spare = this.#spares.pop()
    const generation = this.#nextGeneration
    const header = { version: SEGMENT_VERSION, generation, salt: random.uint32(), segmentBytes }
    const sparePath = spare?.path ?? join(directory, spareName(generation))
    const path = join(directory, segmentName(generation))
    const file = spare === undefined ? await this.#create(sparePath) : await fileSystem.open(sparePath, false)
    try {
      await file.truncate(segmentBytes)
      await writeFully(file, encodeSegmentHeader(header, crc32c), 0)
      await file.sync()
      const { allocatedBytes } = await file.sizes()
      await fileSystem.rename(sparePath, path)
      await fileSystem.syncDirectory(directory)
      this.#nextGeneration++
      const filledEnd = allocatedBytes >= segmentBytes ? segmentBytes : Math.max(FRAMES_START, spare?.filledBytes ?? 0)
      return { path, file, header, filledEnd }
    } catch (error) {
      await file.close()
      if (spare !== undefined) this.#spares.push(spare)
      else if (isNoSpace(error)) await fileSystem.remove(sparePath)
      throw error
    }
  }

  async #create(path: string): Promise<File> {
    try {
      return await this.#options.fileSystem.open(path, true)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
      return this.#options.fileSystem.open(path, false)
    }
  }
}
