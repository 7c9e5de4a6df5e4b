import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'

const code = (name: string): unknown => expect.objectContaining({ code: name })

test('what was put is there after a crash and after a restart, in the order of its keys', async () => {
  const t = await TestBroker.open()
  t.broker.documents.put('vhosts', 'b', { tags: ['x'] })
  t.broker.documents.put('vhosts', 'a', 1)
  t.broker.documents.put('policies', 'a', null)
  t.broker.documents.put('vhosts', 'b', { tags: ['y'], more: { deep: true } })
  t.broker.documents.put('vhosts', 'gone', true)
  t.broker.documents.remove('vhosts', 'gone')
  const vhosts = [
    ['a', 1],
    ['b', { tags: ['y'], more: { deep: true } }],
  ]
  expect(t.broker.documents.list('vhosts')).toEqual(vhosts)
  await t.settle()
  for (const again of [() => t.crash(), () => t.restart()]) {
    await again()
    expect(t.broker.documents.list('vhosts')).toEqual(vhosts)
    expect(t.broker.documents.get('policies', 'a')).toBeNull()
    expect(t.broker.documents.get('vhosts', 'gone')).toBeUndefined()
    expect(t.broker.documents.list('none')).toEqual([])
  }
})

test('a change is kept with the commit of its ticket, and not before: wherever the journal ends', async () => {
  const seen = new Set<string>()
  for (let commits = 0; commits < 8; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await TestBroker.open({}, 1, cut.journal)
    cut.left = commits
    const tickets: number[] = []
    const changes = [
      () => t.broker.documents.put('c', 'k', 'one'),
      () => t.broker.documents.put('c', 'k', 'two'),
      () => t.broker.documents.remove('c', 'k'),
      () => t.broker.documents.put('c', 'k', 'three'),
    ]
    for (const change of changes) {
      tickets.push(change())
      await t.settle()
    }
    const committed = tickets.filter((ticket) => ticket <= t.broker.committedTicket).length
    cut.left = Infinity
    await t.crash()
    const found = t.broker.documents.get('c', 'k')
    expect(found).toBe([undefined, 'one', 'two', undefined, 'three'][committed])
    seen.add(`${committed} ${String(found)}`)
  }
  expect(seen.size).toBe(5)
})

test('a change costs as much as what was changed, however much else there is, and the state log stays bounded', async () => {
  const t = await TestBroker.open({ limits: { stateLogBytesFloor: 64 * 1024 } })
  const stateLog = t.store.logs()[0]!
  for (let n = 0; n < 300; n++) t.broker.documents.put('c', `k${n}`, { n, text: 'x'.repeat(3000) })
  await t.settle()
  const before = t.store.bounds(stateLog).bytes
  t.broker.documents.put('other', 'small', 1)
  await t.settle()
  expect(t.store.bounds(stateLog).bytes - before).toBeLessThan(1000)
  for (let round = 0; round < 40; round++) {
    for (let n = 0; n < 100; n++) t.broker.documents.put('c', `k${n}`, { n, round, text: 'x'.repeat(3000) })
    await t.settle()
  }
  // 1 MB is alive, 13 MB were written.
  expect(t.store.bounds(stateLog).bytes).toBeLessThan(4_000_000)
  await t.crash()
  expect(t.broker.documents.list('c')).toHaveLength(300)
  expect(t.broker.documents.get('c', 'k99')).toMatchObject({ round: 39 })
  expect(t.broker.documents.get('c', 'k299')).not.toHaveProperty('round')
})

test('a turn may put more than a commit holds', async () => {
  const t = await TestBroker.open()
  const text = 'x'.repeat(200_000)
  for (let n = 0; n < 100; n++) t.broker.documents.put('c', `k${n}`, text + n)
  await t.settle()
  await t.crash()
  expect(
    t.broker.documents
      .list('c')
      .map(([, document]) => (document as string).slice(text.length))
      .toSorted(),
  ).toEqual(Array.from({ length: 100 }, (_, n) => String(n)).toSorted())
})

test('what is too large, too much or no JSON is refused and changes nothing', async () => {
  const t = await TestBroker.open()
  const { documents } = t.broker
  const ticket = documents.put('c', 'k', 'before')
  await t.settle()
  expect(t.broker.committedTicket).toBeGreaterThanOrEqual(ticket)
  expect(() => documents.put('c', 'k', 'x'.repeat(256 * 1024))).toThrow(code('record_too_large'))
  expect(() => documents.put('c', 'k', undefined)).toThrow(code('bad_request'))
  const circle: unknown[] = []
  circle.push(circle)
  for (const value of [circle, 1n, () => 1]) expect(() => documents.put('c', 'k', value)).toThrow(code('bad_request'))
  expect(() => documents.put('', 'k', 1)).toThrow(code('bad_request'))
  expect(() => documents.put('c', 'k'.repeat(2000), 1)).toThrow(code('bad_request'))
  expect(documents.get('c', 'k')).toBe('before')
  const most = 'x'.repeat(256 * 1024 - 2)
  let put = 0
  expect(() => {
    for (; put < 1000; put++) documents.put('c', `k${put}`, most)
  }).toThrow(code('limit_reached'))
  expect(put).toBeGreaterThan(200)
  documents.put('c', 'k0', 'small')
  documents.put('c', `k${put}`, 'y'.repeat(200_000))
})

test('whoever listens to a collection hears of its changes in their turn, and of nothing else', async () => {
  const t = await TestBroker.open()
  const { documents } = t.broker
  const heard: string[] = []
  const stop = documents.onChanged('c', (key) => heard.push(`${key}=${JSON.stringify(documents.get('c', key))}`))
  documents.put('c', 'a', 1)
  documents.put('c', 'a', 1)
  documents.put('other', 'a', 1)
  documents.remove('c', 'none')
  documents.remove('c', 'a')
  expect(heard).toEqual(['a=1', 'a=undefined'])
  stop()
  documents.put('c', 'a', 2)
  expect(heard).toHaveLength(2)
})

test('what its owner does to the original later is not kept', async () => {
  const t = await TestBroker.open()
  const original = { names: ['a'] }
  t.broker.documents.put('c', 'k', original)
  original.names.push('b')
  expect(t.broker.documents.get('c', 'k')).toEqual({ names: ['a'] })
})
