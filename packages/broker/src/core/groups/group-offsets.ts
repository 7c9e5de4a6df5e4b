/** What one group has committed, and its stored form: docs/formats/groups.md. */
import type { ByteReader, ByteWriter } from '../state/bytes.ts'
import { StateFormatError } from '../state/bytes.ts'
import { LoggedCell } from '../state/cell-log.ts'
import { placeOf, topicOf, type Place } from './place.ts'

/** Delta tags. Numbers are stored: never reuse one. */
const SET = 1
const GONE = 2
const VACANCY = 3

/** Flags of a snapshot part. */
const FIRST_PART = 1
const FINAL_PART = 2

/** A record of the log is about as large at most. */
const PART_BYTES = 48 * 1024
const PLACE_END = Number.MAX_SAFE_INTEGER

export interface StoredOffset {
  readonly offset: number
  /** -1 for none. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly committedMs: number
}

export class GroupOffsets extends LoggedCell {
  readonly group: string
  readonly #offsets = new Map<Place, StoredOffset>()
  /** When its last member left; 0 when it never had any; undefined while it has some. */
  #vacantSinceMs: number | undefined
  #isVacancyChanged = false
  readonly #changed = new Set<Place>()
  /** Places in order, while that is known. */
  #ordered: readonly Place[] | undefined

  constructor(entity: number, group: string, vacantSinceMs: number | undefined) {
    super(entity)
    this.group = group
    this.#vacantSinceMs = vacantSinceMs
  }

  get size(): number {
    return this.#offsets.size
  }

  get isChanged(): boolean {
    return this.#changed.size > 0 || this.#isVacancyChanged
  }

  get vacantSinceMs(): number | undefined {
    return this.#vacantSinceMs
  }

  get(place: Place): StoredOffset | undefined {
    return this.#offsets.get(place)
  }

  /** In order of places. */
  places(): readonly Place[] {
    this.#ordered ??= [...this.#offsets.keys()].toSorted((a, b) => a - b)
    return this.#ordered
  }

  set(place: Place, stored: StoredOffset): void {
    this.#put(place, stored)
    this.#changed.add(place)
  }

  /** @returns whether there was one */
  delete(place: Place): boolean {
    if (!this.#take(place)) return false
    this.#changed.add(place)
    return true
  }

  /** Forgets all of one topic. */
  deleteTopic(topic: number, partitions: number): void {
    if (this.#offsets.size < partitions) {
      for (const place of this.#offsets.keys()) if (topicOf(place) === topic) this.delete(place)
    } else for (let partition = 0; partition < partitions; partition++) this.delete(placeOf(topic, partition))
  }

  /** Forgets what was committed before `sinceMs` while nobody is in the group, and nobody was since. */
  expire(sinceMs: number): void {
    if (this.#vacantSinceMs === undefined || this.#vacantSinceMs >= sinceMs) return
    for (const [place, { committedMs }] of this.#offsets) if (committedMs < sinceMs) this.delete(place)
  }

  /** @param sinceMs undefined when somebody is in the group */
  changeVacancy(sinceMs: number | undefined): void {
    this.#vacantSinceMs = sinceMs
    this.#isVacancyChanged = true
  }

  // ---- stored form ------------------------------------------------------------------------------------------------------

  writeDelta(out: ByteWriter): void {
    if (this.#isVacancyChanged) {
      out.byte(VACANCY)
      writeVacancy(out, this.#vacantSinceMs)
      this.#isVacancyChanged = false
    }
    for (const place of this.#changed) {
      if (out.length >= PART_BYTES) return
      const stored = this.#offsets.get(place)
      out.byte(stored === undefined ? GONE : SET)
      out.varint(place)
      if (stored !== undefined) writeStored(out, stored)
      this.#changed.delete(place)
    }
  }

  changesWritten(): void {
    this.#changed.clear()
    this.#isVacancyChanged = false
  }

  applyDelta(from: ByteReader): void {
    while (from.left > 0) {
      const tag = from.byte()
      if (tag === SET) this.#put(from.varint(), readStored(from))
      else if (tag === GONE) this.#take(from.varint())
      else if (tag === VACANCY) this.#vacantSinceMs = readVacancy(from)
      else throw new StateFormatError(`unknown tag ${tag} in a delta of a group`)
    }
  }

  writeSnapshot(out: ByteWriter, start: number): number | undefined {
    const places = this.places()
    let at = firstFrom(places, start)
    const next = places[this.#partEnd(places, at)]
    out.byte((start === 0 ? FIRST_PART : 0) + (next === undefined ? FINAL_PART : 0))
    if (start === 0) {
      out.text(this.group)
      writeVacancy(out, this.#vacantSinceMs)
    }
    out.varint(start)
    out.varint(next ?? PLACE_END)
    for (; at < places.length && places[at] !== next; at++) {
      const place = places[at]!
      out.varint(place)
      writeStored(out, this.#offsets.get(place)!)
    }
    return next
  }

  /** @returns whether it was the final part */
  applySnapshotPart(from: ByteReader): boolean {
    const flags = from.byte()
    if ((flags & FIRST_PART) !== 0) {
      from.text()
      this.#vacantSinceMs = readVacancy(from)
    }
    const start = from.varint()
    const end = from.varint()
    for (const place of this.places()) if (place >= start && place < end) this.#take(place)
    while (from.left > 0) this.#put(from.varint(), readStored(from))
    return (flags & FINAL_PART) !== 0
  }

  static isFirstPart(value: Uint8Array): boolean {
    return (value[0]! & FIRST_PART) !== 0
  }

  /** What the first part of a snapshot begins with. */
  static readHeader(entity: number, from: ByteReader): GroupOffsets {
    from.byte()
    return new GroupOffsets(entity, from.text(), readVacancy(from))
  }

  /** @returns index of the first place that does not belong into the part which begins at `at` */
  #partEnd(places: readonly Place[], at: number): number {
    let bytes = 0
    let end = at
    for (; end < places.length && bytes < PART_BYTES; end++) bytes += 32 + 3 * this.#offsets.get(places[end]!)!.metadata.length
    return end
  }

  #put(place: Place, stored: StoredOffset): void {
    if (!this.#offsets.has(place)) this.#ordered = undefined
    this.#offsets.set(place, stored)
  }

  #take(place: Place): boolean {
    if (!this.#offsets.delete(place)) return false
    this.#ordered = undefined
    return true
  }
}

export function writeStored(out: ByteWriter, { offset, leaderEpoch, metadata, committedMs }: StoredOffset): void {
  out.varint(offset)
  out.varint(leaderEpoch + 1)
  out.varint(committedMs)
  out.text(metadata)
}

export function readStored(from: ByteReader): StoredOffset {
  return { offset: from.varint(), leaderEpoch: from.varint() - 1, committedMs: from.varint(), metadata: from.text() }
}

function writeVacancy(out: ByteWriter, sinceMs: number | undefined): void {
  out.varint(sinceMs === undefined ? 0 : sinceMs + 1)
}

function readVacancy(from: ByteReader): number | undefined {
  const stored = from.varint()
  return stored === 0 ? undefined : stored - 1
}

function firstFrom(places: readonly Place[], start: Place): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (places[middle]! < start) low = middle + 1
    else high = middle
  }
  return low
}
