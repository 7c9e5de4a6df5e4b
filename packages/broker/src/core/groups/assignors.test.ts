import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AssignedMember, assignors } from './assignor.ts'
import { partitionOf, type Place, topicOf } from './place.ts'

interface Case {
  readonly partitions: ReadonlyMap<number, number>
  readonly members: readonly AssignedMember[]
}

const subscriptions = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1 }), { minLength: 1, maxLength: 8 })
const counts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 4, maxLength: 4 })

function caseOf(topicsByMember: readonly (readonly number[])[], sizes: readonly number[]): Case {
  const named = new Set(topicsByMember.flat())
  return {
    partitions: new Map(sizes.map((size, n) => [n + 1, size] as const).filter(([topic]) => named.has(topic))),
    members: topicsByMember.map((topics, n) => ({
      id: `m${n}`,
      instanceId: undefined,
      topics: new Set(topics),
      target: new Set(),
    })),
  }
}

/** Each partition is with exactly one member, who names its topic. */
function checkWhole({ partitions, members }: Case, targets: ReadonlyMap<string, ReadonlySet<Place>>): void {
  const seen = new Set<Place>()
  for (const { id, topics } of members) {
    for (const place of targets.get(id)!) {
      expect(seen.has(place)).toBe(false)
      seen.add(place)
      expect(topics.has(topicOf(place))).toBe(true)
      expect(partitionOf(place)).toBeLessThan(partitions.get(topicOf(place))!)
    }
  }
  expect(seen.size).toBe([...partitions.values()].reduce((sum, count) => sum + count, 0))
}

function after(members: readonly AssignedMember[], targets: ReadonlyMap<string, Set<Place>>): AssignedMember[] {
  return members.map((member) => ({ ...member, target: targets.get(member.id)! }))
}

test.each(Object.keys(assignors))('%s gives every partition to one member that reads its topic', (name) => {
  fc.assert(
    fc.property(subscriptions, counts, (topics, sizes) => {
      const before = caseOf(topics, sizes)
      const targets = assignors[name]!(before.members, before.partitions)
      checkWhole(before, targets)
      expect(targets.size).toBe(before.members.length)
    }),
  )
})

test('uniform shares evenly, keeps what it can, and does not move anything twice', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), counts, (first, second, sizes) => {
      const all = Array.from({ length: Math.max(first, second) }, () => [1, 2, 3, 4])
      const { members, partitions } = caseOf(all, sizes)
      const targets = assignors['uniform']!(members.slice(0, first), partitions)
      const now = after(members.slice(0, first), targets)
      expect(assignors['uniform']!(now, partitions)).toEqual(targets)
      const changed = [...now, ...members.slice(first)].slice(0, second)
      const next = assignors['uniform']!(changed, partitions)
      checkWhole({ members: changed, partitions }, next)
      const loads = [...next.values()].map(({ size }) => size)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      // What a member got, it had, or it had to be given away by somebody.
      const total = loads.reduce((sum, load) => sum + load, 0)
      const kept = changed.reduce(
        (sum, { id, target }) => sum + [...target].filter((place) => next.get(id)!.has(place)).length,
        0,
      )
      const most = changed.reduce((sum, { target }) => sum + Math.min(target.size, Math.ceil(total / second)), 0)
      const least = changed.reduce((sum, { target }) => sum + Math.min(target.size, Math.floor(total / second)), 0)
      expect(kept).toBeGreaterThanOrEqual(least)
      expect(kept).toBeLessThanOrEqual(most)
    }),
  )
})

test('uniform with different topics has nobody who could give to one with two less', () => {
  fc.assert(
    fc.property(subscriptions, counts, (topics, sizes) => {
      const { members, partitions } = caseOf(topics, sizes)
      const targets = assignors['uniform']!(members, partitions)
      for (const { id } of members) {
        for (const place of targets.get(id)!) {
          for (const other of members) {
            if (!other.topics.has(topicOf(place))) continue
            expect(targets.get(id)!.size - targets.get(other.id)!.size).toBeLessThan(2)
          }
        }
      }
      expect(assignors['uniform']!(after(members, targets), partitions)).toEqual(targets)
    }),
  )
})

test('range gives adjacent partitions, the same of topics of the same size, static members first', () => {
  const members = [['b'], ['a'], ['z', 'i']].map(([id, instanceId]) => ({
    id: id!,
    instanceId,
    topics: new Set([1, 2]),
    target: new Set<Place>(),
  }))
  const targets = assignors['range']!(members, new Map([[1, 7], [2, 7]])) // prettier-ignore
  const shown = [...targets].map(([id, places]) => [
    id,
    [...places].map((place) => `${topicOf(place)}:${partitionOf(place)}`).join(' '),
  ])
  expect(Object.fromEntries(shown)).toEqual({
    z: '1:0 1:1 1:2 2:0 2:1 2:2',
    a: '1:3 1:4 2:3 2:4',
    b: '1:5 1:6 2:5 2:6',
  })
})
