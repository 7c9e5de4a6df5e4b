import { expect, test } from 'vitest'
import { ByteReader, ByteWriter, StateFormatError } from '../state/bytes.ts'
import { GroupOffsets, type StoredOffset } from './group-offsets.ts'
import { placeOf } from './place.ts'

function stored(offset: number, metadata = '', leaderEpoch = -1): StoredOffset {
  return { offset, leaderEpoch, metadata, committedMs: 300 }
}

function hex(write: (out: ByteWriter) => void): string {
  const out = new ByteWriter()
  write(out)
  return Buffer.from(out.view()).toString('hex')
}

function contents(offsets: GroupOffsets): unknown {
  return { vacant: offsets.vacantSinceMs, stored: offsets.places().map((place) => [place, offsets.get(place)]) }
}

/** The parts of a whole snapshot. */
function snapshot(offsets: GroupOffsets, between: (part: number) => void = () => {}): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let start: number | undefined = 0; start !== undefined;) {
    const out = new ByteWriter()
    start = offsets.writeSnapshot(out, start)
    parts.push(out.view().slice())
    between(parts.length)
  }
  return parts
}

function restored(parts: readonly Uint8Array[], entity = 7): GroupOffsets {
  const offsets = GroupOffsets.readHeader(entity, new ByteReader(parts[0]!))
  const finals = parts.map((part) => offsets.applySnapshotPart(new ByteReader(part)))
  expect(finals).toEqual(parts.map((_, n) => n === parts.length - 1))
  return offsets
}

test('the stored bytes are those of docs/formats/groups.md', () => {
  const offsets = new GroupOffsets(7, 'g', 0)
  offsets.set(placeOf(1, 2), stored(5, 'é', 4))
  offsets.set(placeOf(1, 0), stored(128))
  const first = '808008800100ac0200'
  const second = '8280080505ac0202c3a9'
  expect(hex((out) => offsets.writeSnapshot(out, 0))).toBe(`03 0167 01 00 ffffffffffffff0f ${first}${second}`.replaceAll(' ', ''))
  expect(hex((out) => offsets.writeDelta(out))).toBe(`01${second}01${first}`)
  expect(offsets.isChanged).toBe(false)
  offsets.delete(placeOf(1, 2))
  offsets.changeVacancy(undefined)
  expect(hex((out) => offsets.writeDelta(out))).toBe('030002828008')
  offsets.changeVacancy(300)
  expect(hex((out) => offsets.writeDelta(out))).toBe('03ad02')
})

test('a snapshot in parts is restored, with what changed in between', () => {
  const offsets = new GroupOffsets(7, 'g', undefined)
  for (let n = 0; n < 300; n++) offsets.set(placeOf(1 + (n % 3), n), stored(n, 'm'.repeat(300)))
  offsets.changesWritten()
  const records: { readonly part?: Uint8Array; readonly delta?: Uint8Array }[] = []
  snapshot(offsets, (part) => {
    offsets.set(placeOf(1, 1000 + part), stored(part))
    offsets.set(placeOf(3, 2), stored(999_000 + part))
    offsets.delete(placeOf(1, 3 * part))
    offsets.delete(placeOf(3, 302 - 3 * part))
    offsets.changeVacancy(part)
    const out = new ByteWriter()
    offsets.writeDelta(out)
    records.push({ delta: out.view().slice() })
  }).forEach((part, n) => records.splice(2 * n, 0, { part }))
  expect(records.length).toBeGreaterThan(4)
  const again = GroupOffsets.readHeader(7, new ByteReader(records[0]!.part!))
  for (const { part, delta } of records) {
    if (part !== undefined) again.applySnapshotPart(new ByteReader(part))
    else again.applyDelta(new ByteReader(delta!))
  }
  expect(again.group).toBe('g')
  expect(contents(again)).toEqual(contents(offsets))
})

test('a snapshot on top of other content replaces it', () => {
  const offsets = new GroupOffsets(7, 'g', 5)
  offsets.set(placeOf(2, 0), stored(1))
  const again = new GroupOffsets(7, 'g', undefined)
  for (const place of [placeOf(1, 0), placeOf(2, 0), placeOf(9, 0)]) again.set(place, stored(77))
  for (const part of snapshot(offsets)) again.applySnapshotPart(new ByteReader(part))
  expect(contents(again)).toEqual(contents(offsets))
  expect(contents(restored(snapshot(offsets)))).toEqual(contents(offsets))
})

test('records that end early are refused, or say less', () => {
  const offsets = new GroupOffsets(7, 'g', 0)
  offsets.set(placeOf(1, 0), stored(5, 'text'))
  const [whole] = snapshot(offsets)
  for (let length = 0; length < whole!.length; length++) {
    const cut = whole!.subarray(0, length)
    try {
      expect(restored([cut]).size).toBe(0)
    } catch (error) {
      expect(error).toBeInstanceOf(StateFormatError)
    }
  }
  expect(() => offsets.applyDelta(new ByteReader(new Uint8Array([9])))).toThrow(StateFormatError)
})
