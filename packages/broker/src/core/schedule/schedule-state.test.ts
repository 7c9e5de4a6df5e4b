import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, ByteWriter, StateFormatError } from '../state/bytes.ts'
import { BLOCK_IDS } from './id-block.ts'
import {
  applyDelta,
  applySnapshotPart,
  isFirstPart,
  ScheduleChanges,
  ScheduleState,
  writeDelta,
  writeSnapshotPart,
} from './schedule-state.ts'

/** A schedule whose changes go to a log of records, and what a restart makes of them. */
class Logged {
  readonly live = new ScheduleState()
  readonly records: { readonly kind: 'delta' | 'part'; readonly bytes: Uint8Array }[] = []
  readonly changes = new ScheduleChanges()
  readonly #batches: { readonly first: number; readonly count: number }[] = []
  #start: number | undefined = 0

  give(entity: number, count: number): void {
    const first = this.live.ids.allocate(entity, count, (block) => this.changes.given.add(block))
    this.#batches.push({ first, count })
  }

  /** Some neighbours of one batch; both numbers from 0 to 1. */
  remove(batchAt: number, at: number, length: number): void {
    if (this.#batches.length === 0) return
    const { first, count } = this.#batches[Math.min(Math.floor(batchAt * this.#batches.length), this.#batches.length - 1)]!
    const from = first + Math.min(Math.floor(at * count), count - 1)
    const to = Math.min(from + length, first + count) - 1
    if (this.live.ids.remove(from, to) > 0) this.changes.remove(from, to)
  }

  close(): void {
    const out = new ByteWriter()
    writeDelta(out, this.changes)
    if (out.length > 0) this.records.push({ kind: 'delta', bytes: out.view().slice() })
    this.changes.clear()
  }

  /** Another part of a snapshot that is being written over several commits; what is older than a whole one is forgotten. */
  snapshotPart(): void {
    this.close()
    const out = new ByteWriter()
    const start = this.#start ?? 0
    this.#start = writeSnapshotPart(out, this.live, start)
    this.records.push({ kind: 'part', bytes: out.view().slice() })
    if (this.#start !== undefined) return
    const first = this.records.findLastIndex(({ kind, bytes }) => kind === 'part' && isFirstPart(bytes))
    this.records.splice(0, first)
  }

  restored(): ScheduleState {
    const state = new ScheduleState()
    for (const { kind, bytes } of this.records) {
      const from = new ByteReader(bytes)
      if (kind === 'delta') applyDelta(state, from)
      else applySnapshotPart(state, from)
      if (from.left > 0) throw new Error(`${from.left} bytes are left`)
    }
    return state
  }
}

function shown({ ids, slots }: ScheduleState): unknown {
  return {
    nextBlock: ids.nextBlock,
    pending: ids.pending,
    slots: [...slots.values()],
    blocks: [...ids.blocks].map(({ ids: block, owner }) => {
      const out = new ByteWriter()
      for (let id = 0; id < block.used; id++) out.byte(block.has(id) ? 1 : 0)
      return [block.number, owner.entity, block.used, createHash('sha1').update(out.view()).digest('hex')]
    }),
    targets: [...ids.targets.values()]
      .map(({ entity, pending, blocks }) => `${entity}: ${pending} in ${blocks.length}`)
      .toSorted(),
  }
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ entity: fc.integer({ min: 1, max: 4 }), count: fc.constantFrom(1, 3, 1000, 40_000, 140_000) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      batchAt: fc.double({ min: 0, max: 1, noNaN: true }),
      at: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      length: fc.constantFrom(1, 2, 5000, 70_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ gone: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.constant('close' as const) },
  { weight: 4, arbitrary: fc.constant('snapshot' as const) },
)

test('a restart finds what there was, from deltas and snapshots in parts between them', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const logged = new Logged()
      for (const each of steps) {
        if (each === 'close') logged.close()
        else if (each === 'snapshot') logged.snapshotPart()
        else if ('count' in each) logged.give(each.entity, each.count)
        else if ('gone' in each) {
          if (!logged.live.ids.targets.has(each.gone)) continue
          logged.live.ids.removeTarget(each.gone)
          logged.changes.targetsGone.push(each.gone)
          // An entity does not come back; here it does, in the next commit.
          logged.close()
        } else logged.remove(each.batchAt, each.at, each.length)
      }
      logged.close()
      expect(shown(logged.restored())).toEqual(shown(logged.live))
    }),
    { numRuns: 200 },
  )
})

test('slots come and go', () => {
  const logged = new Logged()
  const slots = [0, 1, 2].map((n) => ({ level: n, index: 1_700_000_000 + n, log: 5 + n }))
  for (const slot of slots) {
    logged.live.slots.set(slot.log, slot)
    logged.changes.slots.push({ slot, gone: false })
  }
  logged.close()
  logged.live.slots.delete(6)
  logged.changes.slots.push({ slot: slots[1]!, gone: true })
  logged.close()
  expect([...logged.restored().slots.values()]).toEqual([slots[0], slots[2]])
  logged.snapshotPart()
  expect(logged.records).toHaveLength(1)
  expect([...logged.restored().slots.values()]).toEqual([slots[0], slots[2]])
})

test('ids of a batch are neighbours, in one block or several, and grow', () => {
  const { ids } = new ScheduleState()
  const given: number[] = []
  const give = (entity: number, count: number): number => ids.allocate(entity, count, () => given.push(count))
  const first = give(1, 60_000)
  expect(first).toBe(BLOCK_IDS)
  const large = give(1, 200_000)
  expect(large).toBeGreaterThan(first + 59_999)
  expect(ids.count(large, large + 199_999)).toBe(200_000)
  expect(ids.targetOf(large + 199_999)!.entity).toBe(1)
  expect(give(2, 1)).toBeGreaterThan(large + 199_999)
  expect([ids.targets.get(1)!.pending, ids.targets.get(2)!.pending, ids.pending]).toEqual([260_000, 1, 260_001])
})

test('damage is told from state', () => {
  for (const bytes of [[9], [1, 7, 1, 1], [3, 1, 1, 255, 255, 127], [4, 5, 1]]) {
    expect(() => applyDelta(new ScheduleState(), new ByteReader(Uint8Array.from(bytes)))).toThrow(StateFormatError)
  }
})
