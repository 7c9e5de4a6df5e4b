import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AssertionError } from '../../base/assert.ts'
import { ByteReader, ByteWriter, StateFormatError } from '../state/bytes.ts'
import { DeliveryChanges } from './delivery-changes.ts'
import {
  type Outstanding,
  type SnapshotSource,
  applyDelta,
  applySnapshotPart,
  writeDelta,
  writeSnapshotPart,
} from './delivery-codec.ts'
import { type DeliveryState, newDeliveryState } from './delivery-state.ts'
import { DelayedRange, DoomedRange } from './ranges.ts'

/** One line for each unsettled message. */
function expand(state: DeliveryState): Map<number, string> {
  const found = new Map<number, string>()
  const put = (first: number, last: number, what: string): void => {
    for (let offset = first; offset <= last; offset++) {
      expect(found.has(offset)).toBe(false)
      found.set(offset, what)
    }
  }
  for (const each of state.returned) put(each.first, each.last, `${each.attempts}`)
  for (const each of state.delayed) put(each.first, each.last, `${each.attempts} until ${each.dueMs}`)
  for (const each of state.doomed) put(each.first, each.last, `${each.attempts} ${each.death} ${each.error}`)
  return new Map([...found].toSorted(([a], [b]) => a - b))
}

function source(state: DeliveryState): SnapshotSource {
  return {
    ...state,
    outstandingFrom(offset): Outstanding | undefined {
      const candidates: (Outstanding | undefined)[] = [
        state.returned.from(offset),
        state.delayed.from(offset),
        state.doomed.from(offset),
      ]
      return candidates.filter((each) => each !== undefined).toSorted((a, b) => a.first - b.first)[0]
    },
  }
}

function bytesOf(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter()
  write(out)
  return out.view().slice()
}

const step = fc.record({
  kind: fc.constantFrom('mark', 'settled', 'attempts', 'delayed', 'doomed', 'snapshot', 'rewind'),
  at: fc.nat(60),
  length: fc.integer({ min: 1, max: 9 }),
  attempts: fc.integer({ min: 0, max: 300 }),
})

test('deltas and snapshots rebuild what happened', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let state = newDeliveryState()
      const model = new Map<number, string>()
      const changes = new DeliveryChanges()
      for (const { kind, at, length, attempts } of steps) {
        const mark = state.mark
        const first = Math.min(at, mark - 1)
        const last = Math.min(first + length - 1, mark - 1)
        changes.clear()
        if (kind === 'snapshot') {
          const part = bytesOf((out) => expect(writeSnapshotPart(out, source(state), 0)).toBe(undefined))
          state = newDeliveryState()
          expect(applySnapshotPart(state, new ByteReader(part))).toBe(true)
        } else if (kind === 'mark') {
          changes.mark = mark + length
          for (let offset = mark; offset < mark + length; offset++) model.set(offset, '1')
        } else if (mark === 0) continue
        else if (kind === 'rewind') {
          changes.rewind = first
          changes.mark = first + length
          for (const offset of model.keys()) if (offset >= first) model.delete(offset)
          for (let offset = first; offset < first + length; offset++) model.set(offset, '1')
        } else {
          const what = {
            settled: '',
            attempts: `${attempts}`,
            delayed: `${attempts} until ${at * 2 ** 40}`,
            doomed: `${attempts} rejected é`,
          }[kind]
          if (kind === 'settled') changes.settle(first, last)
          else if (kind === 'attempts') changes.setAttempts(first, last, attempts)
          else if (kind === 'delayed') changes.delayed.push(new DelayedRange(first, last, attempts, at * 2 ** 40))
          else changes.doomed.push(new DoomedRange(first, last, attempts, 'rejected', 'é'))
          for (let offset = first; offset <= last; offset++) {
            if (kind === 'settled') model.delete(offset)
            else model.set(offset, what)
          }
          changes.counters.acked += attempts
        }
        const acked = state.counters.acked
        applyDelta(state, new ByteReader(bytesOf((out) => writeDelta(out, changes))))
        expect(state.counters.acked).toBe(acked + changes.counters.acked)
        expect(expand(state)).toEqual(new Map([...model].toSorted(([a], [b]) => a - b)))
      }
    }),
    { numRuns: 300 },
  )
})

test('a snapshot in parts may be mixed with deltas, and may begin the log', () => {
  const state = newDeliveryState()
  const changes = new DeliveryChanges()
  const apply = (...states: DeliveryState[]): void => {
    const delta = bytesOf((out) => writeDelta(out, changes))
    for (const each of states) applyDelta(each, new ByteReader(delta))
    changes.clear()
  }
  changes.mark = 40_000
  for (let offset = 0; offset < 40_000; offset += 2) changes.settle(offset, offset)
  apply(state)
  const rebuilt = newDeliveryState()
  let parts = 0
  for (let start: number | undefined = 0; start !== undefined;) {
    const out = new ByteWriter()
    start = writeSnapshotPart(out, source(state), start)
    expect(applySnapshotPart(rebuilt, new ByteReader(out.view()))).toBe(start === undefined)
    parts++
    changes.mark = 40_000 + parts * 10
    changes.settle(parts * 1001, parts * 1001)
    changes.setAttempts(39_999 - parts * 2, 39_999 - parts * 2, 7)
    apply(state, rebuilt)
  }
  expect(parts).toBeGreaterThan(3)
  expect(expand(rebuilt)).toEqual(expand(state))
})

test('damaged state is an error of its own kind', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), fc.boolean(), (bytes, isDelta) => {
      const state = newDeliveryState()
      let problem: unknown
      try {
        if (isDelta) applyDelta(state, new ByteReader(bytes))
        else applySnapshotPart(state, new ByteReader(bytes))
      } catch (error) {
        problem = error
      }
      // The second: ranges that overlap or are empty.
      expect(problem === undefined || problem instanceof StateFormatError || problem instanceof AssertionError).toBe(true)
    }),
    { numRuns: 500 },
  )
})
