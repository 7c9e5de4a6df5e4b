import { beforeEach, expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { MillraceError } from '../base/errors.ts'
import { LogState } from './log-state.ts'
import type { StoredBatch } from './log-store.ts'
import { ReadAhead } from './read-ahead.ts'
import { RangeSet } from './range-set.ts'

const MIB = 1024 * 1024
const BATCH_BYTES = 64 * 1024
const RECORDS = 10
/** Records of a MiB. */
const ANSWER: number = (MIB / BATCH_BYTES) * RECORDS

let platform: VirtualPlatform
let log: LogState
/** Where reads of the journal began. */
let reads: number[]
/** Offsets from here on are in the tail cache. */
let hotFrom: number
/** What reads fail with. */
let failure: Error | undefined

beforeEach(() => {
  platform = new VirtualPlatform()
  log = new LogState(1, 100_000)
  reads = []
  hotFrom = Infinity
  failure = undefined
})

function readAhead(bytesMax = 16 * MIB): ReadAhead {
  return new ReadAhead(bytesMax, { read: readJournal, isCold }, platform.scheduler)
}

function isCold(_: LogState, offset: number): boolean {
  return offset < hotFrom
}

/** Batches of ten records in 64 KiB, until there are `bytesMax`. */
async function readJournal({ end }: LogState, from: number, bytesMax: number): Promise<readonly StoredBatch[]> {
  reads.push(from)
  await Promise.resolve()
  if (failure !== undefined) throw failure
  const found: StoredBatch[] = []
  for (let base = from - (from % RECORDS); base < end && found.length * BATCH_BYTES < bytesMax; base += RECORDS) {
    found.push({ baseOffset: base, lastOffset: base + RECORDS - 1, bytes: new Uint8Array(BATCH_BYTES) })
  }
  return found
}

/** As a reader of the log does: what is ready, or the journal. */
async function read(ahead: ReadAhead, from: number, bytesMax: number): Promise<readonly StoredBatch[]> {
  await ahead.arriving(log, from)
  const ready = ahead.take(log, from, bytesMax)
  if (ready !== undefined) return ready
  const batches = await readJournal(log, from, bytesMax)
  ahead.followed(log, from, bytesMax, batches)
  return batches
}

function nextOf(batches: readonly StoredBatch[]): number {
  return batches.at(-1)!.lastOffset + 1
}

/** Reads `times` times, as those do who leave out the last batch, or take it. @returns where to go on */
async function readOn(ahead: ReadAhead, from: number, times: number, leftOut = 0): Promise<number> {
  let at = from
  for (let n = 0; n < times; n++) {
    const batches = await read(ahead, at, MIB)
    expect(batches[0]).toMatchObject({ baseOffset: at })
    for (let k = 1; k < batches.length; k++) expect(batches[k]!.baseOffset).toBe(batches[k - 1]!.lastOffset + 1)
    at = nextOf(batches) - leftOut * RECORDS
    await platform.advance(1)
  }
  return at
}

/** @returns how many whole answers are ready from `from` on, once nothing more is read */
async function readyAnswers(ahead: ReadAhead, from: number): Promise<number> {
  await platform.advance(1)
  const left = reads.length
  let count = 0
  for (let at = from; ahead.take(log, at, MIB) !== undefined; at += ANSWER) count++
  expect(reads).toHaveLength(left)
  return count
}

/** Reads from `from` on, and comes too early `times` times. @returns where to go on */
async function waited(ahead: ReadAhead, from: number, times: number): Promise<number> {
  let at = from
  for (let n = 0; n < times; n++) {
    at += (await readyAnswers(ahead, at)) * ANSWER
    platform.runTurn()
    platform.runTurn()
    expect(ahead.take(log, at, MIB)).toBeUndefined()
    at = nextOf(await read(ahead, at, MIB))
  }
  await platform.advance(1)
  return at
}

test('who reads on where his last read ended finds the next part ready', async () => {
  const ahead = readAhead()
  const first = nextOf(await read(ahead, 0, MIB))
  const second = nextOf(await read(ahead, first, MIB))
  expect(reads).toEqual([0, first])
  expect(await readyAnswers(ahead, second)).toBe(1)
  expect(reads).toEqual([0, first, second])
})

test.each([
  [1, 2],
  [2, 4],
  [3, 4],
])('who had to wait %i times finds %i parts ready from then on', async (times, expected) => {
  const ahead = readAhead()
  const at = await waited(ahead, await readOn(ahead, 0, 2), times)
  expect(await readyAnswers(ahead, at)).toBe(expected)
  await platform.advance(1)
  expect(await readyAnswers(ahead, at + expected * ANSWER)).toBe(expected)
})

test('a whole answer is ready while the next one is being read, for who had to wait', async () => {
  const ahead = readAhead()
  const at = await waited(ahead, await readOn(ahead, 0, 3), 1)
  const next = nextOf(ahead.take(log, at, MIB)!)
  platform.runTurn()
  platform.runTurn()
  expect(ahead.arriving(log, next)).toBeDefined()
  expect(ahead.take(log, next, MIB)).toHaveLength(MIB / BATCH_BYTES)
})

test('a rest that is less than half of what is asked for waits for more, if that can be read', async () => {
  const ahead = readAhead()
  const at = await waited(ahead, await readOn(ahead, 0, 3), 2)
  const rest = at + 60 * RECORDS
  expect(ahead.take(log, at, 60 * BATCH_BYTES)).toHaveLength(60)
  expect(ahead.take(log, rest, MIB)).toBeUndefined()
  await ahead.arriving(log, rest)
  expect(ahead.take(log, rest, MIB)!.length).toBeGreaterThanOrEqual(16)
})

test('where many read, whoever has one part ready gets no second one', async () => {
  const ahead = readAhead(4 * MIB)
  const places = [0, 5000, 10_000]
  for (let round = 0; round < 3; round++) {
    for (const n of places.keys()) places[n] = nextOf(await read(ahead, places[n]!, MIB))
    await platform.advance(1)
  }
  for (const at of places) expect(ahead.take(log, at, MIB)).toHaveLength(MIB / BATCH_BYTES)
})

test.each([0, 1])('goes on for ever, each batch read once, when %i batches of each answer are left out', async (leftOut) => {
  const ahead = readAhead()
  const at = await readOn(ahead, 0, 2, leftOut)
  reads.length = 0
  const end = await readOn(ahead, at, 50, leftOut)
  expect(end - at).toBeGreaterThan(50 * 14 * RECORDS)
  expect(reads.length).toBeLessThanOrEqual(53)
  expect(new Set(reads).size).toBe(reads.length)
  expect(ahead.bytes).toBeLessThanOrEqual(5 * MIB)
})

test('reads nothing ahead of who reads here and there, or little', async () => {
  const ahead = readAhead()
  for (const from of [5000, 100, 70_000, 20]) await read(ahead, from, MIB)
  let at = 0
  for (let n = 0; n < 5; n++) at = nextOf(await read(ahead, at, 1))
  await platform.advance(1)
  expect(reads).toHaveLength(9)
  expect(ahead.bytes).toBe(0)
})

test('a reader that comes while his part is on the way waits for it', async () => {
  const ahead = readAhead()
  let at = nextOf(await read(ahead, 0, MIB))
  at = nextOf(await read(ahead, at, MIB))
  platform.runTurn()
  platform.runTurn()
  expect(reads.at(-1)).toBe(at)
  expect(ahead.take(log, at, MIB)).toBeUndefined()
  await ahead.arriving(log, at)
  expect(ahead.take(log, at, MIB)).toHaveLength(MIB / BATCH_BYTES)
})

test('stops where the tail cache begins, and at the end of the log', async () => {
  const ahead = readAhead()
  const at = await readOn(ahead, 0, 2)
  hotFrom = at
  const next = nextOf(ahead.take(log, at, MIB)!)
  reads.length = 0
  await platform.advance(1)
  expect(reads).toEqual([])
  expect(ahead.take(log, next + 1000, MIB)).toBeUndefined()
})

test('what was discarded after it was read is not given', async () => {
  const ahead = readAhead()
  const at = await readOn(ahead, 0, 2)
  log.holes = new RangeSet()
  log.holes.add(at, at + 2 * RECORDS)
  expect(ahead.take(log, at, MIB)![0]).toMatchObject({ baseOffset: at + 2 * RECORDS })
})

test('forgets what was read of a log that is stored in another way now', async () => {
  const ahead = readAhead()
  const at = await readOn(ahead, 0, 2)
  expect(ahead.bytes).toBeGreaterThan(0)
  ahead.forget(log)
  expect(ahead.bytes).toBe(0)
  expect(ahead.take(log, at, MIB)).toBeUndefined()
})

test('holds no more than its limit, however many read', async () => {
  const ahead = readAhead(4 * MIB)
  const places = Array.from({ length: 20 }, (_, n) => n * 5000)
  for (let round = 0; round < 5; round++) {
    for (const n of places.keys()) places[n] = nextOf(await read(ahead, places[n]!, MIB))
    await platform.advance(1)
    expect(ahead.bytes).toBeLessThanOrEqual(4 * MIB + 20 * BATCH_BYTES)
  }
})

test('lets go of what a reader that went away would have wanted', async () => {
  const ahead = readAhead()
  await readOn(ahead, 0, 3)
  expect(ahead.bytes).toBeGreaterThan(0)
  await platform.advance(12_000)
  expect(ahead.bytes).toBe(0)
})

test('a failure is for whoever reads there', async () => {
  const ahead = readAhead()
  let at = nextOf(await read(ahead, 0, MIB))
  at = nextOf(await read(ahead, at, MIB))
  failure = new MillraceError('data_corrupt', 'damaged')
  await platform.advance(1)
  expect(ahead.bytes).toBe(0)
  await expect(read(ahead, at, MIB)).rejects.toThrow('damaged')
})

test('reads nothing after it was stopped', async () => {
  const ahead = readAhead()
  const at = await readOn(ahead, 0, 2)
  await ahead.stop()
  reads.length = 0
  expect(ahead.take(log, at, MIB)).toBeUndefined()
  ahead.followed(log, 0, MIB, await readJournal(log, 0, MIB))
  await platform.advance(20_000)
  expect(reads).toEqual([0])
})
