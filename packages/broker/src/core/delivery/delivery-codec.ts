/** Delivery state in the state log: deltas and snapshots. Bytes: docs/formats/state-log.md. */
// hot path (packages/broker/test/core/throughput.mjs)
import { type ByteReader, type ByteWriter, StateFormatError } from '../state/bytes.ts'
import type { DeliveryChanges } from './delivery-changes.ts'
import { type DeliveryCounters, type DeliveryState, insertReturned, removeOffsets } from './delivery-state.ts'
import { DEATHS, type Death, DelayedRange, DoomedRange, ReturnedRange } from './ranges.ts'

const MARK = 1
const SETTLED = 2
const ATTEMPTS = 3
const DELAYED = 4
const DOOMED = 5
const COUNTERS = 6
const REWIND = 7

const FIRST_PART = 1
const FINAL_PART = 2

const KIND_PLAIN = 0
const KIND_DELAYED = 1
const KIND_DOOMED = 2

/** A snapshot is cut into parts of about this size. */
const PART_BYTES = 48 * 1024

// ---- deltas ---------------------------------------------------------------------------------------------------------

export function writeDelta(out: ByteWriter, changes: DeliveryChanges): void {
  if (changes.hasRewind) {
    out.byte(REWIND)
    out.varint(changes.rewind)
  }
  if (changes.hasMark) {
    out.byte(MARK)
    out.varint(changes.mark)
  }
  if (changes.delayed.length > 0) writeDelayed(out, changes.delayed)
  if (changes.doomed.length > 0) writeDoomed(out, changes.doomed)
  if (changes.attempts.length > 0) writeAttempts(out, changes.attempts)
  if (changes.settled.length > 0) writeSettled(out, changes.settled)
  writeCounters(out, changes.counters)
}

/** @throws StateFormatError */
export function applyDelta(state: DeliveryState, from: ByteReader): void {
  while (from.left > 0) {
    const tag = from.byte()
    switch (tag) {
      case MARK: {
        const mark = from.varint()
        if (mark > state.mark) insertReturned(state.returned, state.mark, mark - 1, 1)
        state.mark = Math.max(state.mark, mark)
        break
      }
      case REWIND:
        state.mark = Math.min(state.mark, from.varint())
        removeOutstanding(state, state.mark, Number.MAX_SAFE_INTEGER)
        break
      case SETTLED:
        applySettled(state, from)
        break
      case ATTEMPTS:
        applyAttempts(state, from)
        break
      case DELAYED:
        applyDelayed(state, from)
        break
      case DOOMED:
        applyDoomed(state, from)
        break
      case COUNTERS:
        addCounters(state.counters, from)
        break
      default:
        throw new StateFormatError(`unknown tag ${tag} in a delivery delta`)
    }
  }
}

function writeSettled(out: ByteWriter, settled: readonly number[]): void {
  out.byte(SETTLED)
  out.varint(settled.length / 2)
  let end = 0
  for (let n = 0; n < settled.length; n += 2) {
    const first = settled[n]!
    const last = settled[n + 1]!
    out.signed(first - end)
    out.varint(last - first)
    end = last
  }
}

function applySettled(state: DeliveryState, from: ByteReader): void {
  let end = 0
  for (let left = from.varint(); left > 0; left--) {
    const first = end + from.signed()
    end = first + from.varint()
    removeOutstanding(state, first, end)
  }
}

function writeAttempts(out: ByteWriter, attempts: readonly number[]): void {
  out.byte(ATTEMPTS)
  out.varint(attempts.length / 3)
  let end = 0
  for (let n = 0; n < attempts.length; n += 3) {
    const first = attempts[n]!
    const last = attempts[n + 1]!
    out.signed(first - end)
    out.varint(last - first)
    out.varint(attempts[n + 2]!)
    end = last
  }
}

function applyAttempts(state: DeliveryState, from: ByteReader): void {
  let end = 0
  for (let left = from.varint(); left > 0; left--) {
    const first = end + from.signed()
    end = first + from.varint()
    const attempts = from.varint()
    removeOutstanding(state, first, end)
    insertReturned(state.returned, first, end, attempts)
  }
}

function writeDelayed(out: ByteWriter, delayed: readonly DelayedRange[]): void {
  out.byte(DELAYED)
  out.varint(delayed.length)
  for (const range of delayed) {
    out.varint(range.first)
    out.varint(range.last - range.first)
    out.varint(range.attempts)
    out.varint(range.dueMs)
  }
}

function applyDelayed(state: DeliveryState, from: ByteReader): void {
  for (let left = from.varint(); left > 0; left--) {
    const first = from.varint()
    const last = first + from.varint()
    const attempts = from.varint()
    removeOutstanding(state, first, last)
    state.delayed.insert(new DelayedRange(first, last, attempts, from.varint()))
  }
}

function writeDoomed(out: ByteWriter, doomed: readonly DoomedRange[]): void {
  out.byte(DOOMED)
  out.varint(doomed.length)
  for (const range of doomed) {
    out.varint(range.first)
    out.varint(range.last - range.first)
    out.varint(range.attempts)
    writeDeath(out, range)
  }
}

function applyDoomed(state: DeliveryState, from: ByteReader): void {
  for (let left = from.varint(); left > 0; left--) {
    const first = from.varint()
    const last = first + from.varint()
    const attempts = from.varint()
    removeOutstanding(state, first, last)
    state.doomed.insert(new DoomedRange(first, last, attempts, readDeath(from), from.text()))
  }
}

function writeCounters(out: ByteWriter, counters: DeliveryCounters): void {
  const { delivered, redelivered, acked, deadLettered, dropped } = counters
  if (delivered + redelivered + acked + deadLettered + dropped === 0) return
  out.byte(COUNTERS)
  out.varint(delivered)
  out.varint(redelivered)
  out.varint(acked)
  out.varint(deadLettered)
  out.varint(dropped)
}

function addCounters(counters: DeliveryCounters, from: ByteReader): void {
  counters.delivered += from.varint()
  counters.redelivered += from.varint()
  counters.acked += from.varint()
  counters.deadLettered += from.varint()
  counters.dropped += from.varint()
}

// ---- snapshots ------------------------------------------------------------------------------------------------------

/** One run of unsettled messages below the mark, as a snapshot lists it. */
export interface Outstanding {
  readonly first: number
  readonly last: number
  readonly attempts: number
  /** Present for one that waits for a time. */
  readonly dueMs?: number
  /** Present for one that waits for its move to the dead letters. */
  readonly death?: Death
  readonly error?: string
}

export interface SnapshotSource {
  readonly mark: number
  readonly origin: number
  readonly seekTimestampMs: number | undefined
  readonly counters: DeliveryCounters
  /** The first run of unsettled messages that ends at or after `offset` and lies below the mark. */
  outstandingFrom(offset: number): Outstanding | undefined
}

/**
 * Writes the part of a snapshot that begins at offset `start` (0 for the first part). A part says: exactly these
 * messages of the interval are unsettled; the interval of the final part has no end.
 * @returns where the next part begins, or undefined when this was the final one
 */
export function writeSnapshotPart(out: ByteWriter, source: SnapshotSource, start: number): number | undefined {
  const runs: Outstanding[] = []
  let size = 0
  let at = start
  let run = source.outstandingFrom(at)
  while (run !== undefined && size < PART_BYTES) {
    runs.push(run)
    size += 16 + 3 * (run.error?.length ?? 0)
    at = run.last + 1
    run = source.outstandingFrom(at)
  }
  const final = run === undefined
  const end = final ? Math.max(source.mark, at) : at
  out.byte((start === 0 ? FIRST_PART : 0) | (final ? FINAL_PART : 0))
  if (start === 0) writeHeader(out, source)
  out.varint(start)
  out.varint(end)
  let previous = start
  for (const each of runs) {
    const first = Math.max(each.first, start)
    out.varint(first - previous)
    out.varint(each.last - first)
    writeRun(out, each)
    previous = each.last
  }
  return final ? undefined : end
}

/**
 * Applies one part to what was read before.
 * @returns whether it was the final part
 * @throws StateFormatError
 */
export function applySnapshotPart(state: DeliveryState, from: ByteReader): boolean {
  const flags = from.byte()
  if ((flags & FIRST_PART) !== 0) readHeader(state, from)
  const start = from.varint()
  const end = from.varint()
  const final = (flags & FINAL_PART) !== 0
  if (final || end > start) removeOutstanding(state, start, final ? Number.MAX_SAFE_INTEGER : end - 1)
  let previous = start
  while (from.left > 0) {
    const first = previous + from.varint()
    const last = first + from.varint()
    readRun(state, from, first, last)
    previous = last
  }
  return final
}

/** Whether the snapshot part that these bytes begin is the first. */
export function isFirstPart(bytes: Uint8Array): boolean {
  return bytes.length > 0 && (bytes[0]! & FIRST_PART) !== 0
}

function writeHeader(out: ByteWriter, source: SnapshotSource): void {
  out.varint(source.mark)
  out.varint(source.origin)
  out.varint(source.seekTimestampMs === undefined ? 0 : Math.max(0, source.seekTimestampMs) + 1)
  const counters = source.counters
  out.varint(counters.delivered)
  out.varint(counters.redelivered)
  out.varint(counters.acked)
  out.varint(counters.deadLettered)
  out.varint(counters.dropped)
}

function readHeader(state: DeliveryState, from: ByteReader): void {
  state.mark = from.varint()
  state.origin = from.varint()
  const seek = from.varint()
  state.seekTimestampMs = seek === 0 ? undefined : seek - 1
  const counters = state.counters
  counters.delivered = from.varint()
  counters.redelivered = from.varint()
  counters.acked = from.varint()
  counters.deadLettered = from.varint()
  counters.dropped = from.varint()
}

function writeRun(out: ByteWriter, run: Outstanding): void {
  if (run.death !== undefined) {
    out.varint(run.attempts * 4 + KIND_DOOMED)
    writeDeath(out, { death: run.death, error: run.error ?? '' })
  } else if (run.dueMs !== undefined) {
    out.varint(run.attempts * 4 + KIND_DELAYED)
    out.varint(run.dueMs)
  } else out.varint(run.attempts * 4 + KIND_PLAIN)
}

function readRun(state: DeliveryState, from: ByteReader, first: number, last: number): void {
  const packed = from.varint()
  const attempts = Math.floor(packed / 4)
  switch (packed % 4) {
    case KIND_PLAIN:
      insertReturned(state.returned, first, last, attempts)
      break
    case KIND_DELAYED:
      state.delayed.insert(new DelayedRange(first, last, attempts, from.varint()))
      break
    case KIND_DOOMED:
      state.doomed.insert(new DoomedRange(first, last, attempts, readDeath(from), from.text()))
      break
    default:
      throw new StateFormatError(`unknown kind ${packed % 4} in a delivery snapshot`)
  }
}

// ---- shared ---------------------------------------------------------------------------------------------------------

function writeDeath(out: ByteWriter, doom: { readonly death: Death; readonly error: string }): void {
  out.byte(DEATHS.indexOf(doom.death))
  out.text(doom.error)
}

function readDeath(from: ByteReader): Death {
  const number = from.byte()
  const death = DEATHS[number]
  if (death === undefined) throw new StateFormatError(`unknown reason ${number} of a dead letter`)
  return death
}

function removeOutstanding(state: DeliveryState, first: number, last: number): void {
  removeOffsets(state.returned, first, last, (range, from, to) => new ReturnedRange(from, to, range.attempts))
  removeOffsets(state.delayed, first, last, (range, from, to) => new DelayedRange(from, to, range.attempts, range.dueMs))
  removeOffsets(
    state.doomed,
    first,
    last,
    (range, from, to) => new DoomedRange(from, to, range.attempts, range.death, range.error),
  )
}
