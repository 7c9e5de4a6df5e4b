import { encodeBatch } from '@millrace/wire'
import { beforeEach, expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import { heldJournal } from '../../../test/core/held-journal.ts'
import { messageWith } from '../../../test/core/routed-message.ts'
import type { Binding, ExchangeSpec, HeaderValue, Route } from '../broker.ts'

let t: TestBroker

beforeEach(async () => {
  t = await TestBroker.open()
})

function make(spec: ExchangeSpec, ...bindings: readonly Omit<Binding, 'source'>[]): void {
  t.broker.router.createExchange(spec)
  for (const binding of bindings) {
    const [kind, name] = binding.destination.split(':') as [string, string]
    if (kind === 'queue') t.broker.createQueue({ name })
    t.broker.router.bind({ source: spec.name, ...binding })
  }
}

function route(exchange: string, key: string, headers: Readonly<Record<string, HeaderValue | null>> = {}): Route {
  return t.broker.router.source(exchange).route(messageWith(key, headers))
}

/** Names of the destinations, sorted. */
function to(exchange: string, key: string, headers: Readonly<Record<string, HeaderValue | null>> = {}): string {
  return route(exchange, key, headers)
    .destinations.map(({ name }) => name)
    .toSorted()
    .join(' ')
}

function batchOf(...values: readonly string[]): Uint8Array {
  const encoder = new TextEncoder()
  return encodeBatch(values.map((value) => ({ timestampMs: t.platform.clock.nowMs(), key: null, value: encoder.encode(value) })))
}

async function valuesOf(source: string): Promise<readonly (string | null)[]> {
  const reader = t.read(source, 'earliest')
  await t.settle()
  return reader.values
}

function byMoreKeys(exchange: string): string {
  const { destinations } = t.broker.router.source(exchange).route(messageWith('a', {}, ['b', 'none', 'a']))
  return destinations.map(({ name }) => name).join(' ')
}

/** Where the records of a batch were refused. */
function positionsOf(...values: readonly string[]): readonly number[] | undefined {
  return route('x', 'k')
    .publish(batchOf(...values))
    ?.map(({ position }) => position)
}

// ---- types ----------------------------------------------------------------------------------------------------------

test('a direct exchange goes by the whole key', () => {
  make(
    { name: 'x', type: 'direct' },
    { destination: 'queue:a', key: 'k' },
    { destination: 'queue:b', key: 'k' },
    { destination: 'queue:c', key: 'K' },
  )
  expect(to('x', 'k')).toBe('a b')
  expect(to('x', 'K')).toBe('c')
  expect(to('x', 'other')).toBe('')
})

test('a fanout exchange does not look at the key, and gives each destination one copy', () => {
  make(
    { name: 'x', type: 'fanout' },
    { destination: 'queue:a', key: '1' },
    { destination: 'queue:a', key: '2' },
    { destination: 'queue:b', key: '' },
  )
  expect(to('x', 'whatever')).toBe('a b')
  t.broker.router.unbind({ source: 'x', destination: 'queue:a', key: '1' })
  expect(to('x', '')).toBe('a b')
  t.broker.router.unbind({ source: 'x', destination: 'queue:a', key: '2' })
  expect(to('x', '')).toBe('b')
})

test('a headers exchange looks at all, or any, of the headers', () => {
  const headers = { format: 'pdf', pages: 2, 'x-kind': 'report' }
  make(
    { name: 'x', type: 'headers' },
    { destination: 'queue:all', key: '', match: { mode: 'all', headers } },
    { destination: 'queue:any', key: '', match: { mode: 'any', headers } },
    { destination: 'queue:all-x', key: '', match: { mode: 'all-with-x', headers } },
    { destination: 'queue:any-x', key: '', match: { mode: 'any-with-x', headers } },
    { destination: 'queue:there', key: '', match: { mode: 'all', headers: { format: null } } },
    { destination: 'queue:every', key: '' },
    { destination: 'queue:never', key: '', match: { mode: 'any', headers: {} } },
  )
  expect(to('x', '', headers)).toBe('all all-x any any-x every there')
  expect(to('x', '', { format: 'pdf', pages: 2 })).toBe('all any any-x every there')
  expect(to('x', '', { format: 'pdf', pages: '2' })).toBe('any any-x every there')
  expect(to('x', '', { format: 'txt' })).toBe('every there')
  expect(to('x', '', { 'x-kind': 'report' })).toBe('any-x every')
  expect(to('x', '')).toBe('every')
})

test('a header that is equal to nothing is there all the same', () => {
  make(
    { name: 'x', type: 'headers' },
    { destination: 'queue:there', key: '', match: { mode: 'all', headers: { list: null } } },
    { destination: 'queue:any', key: '', match: { mode: 'any', headers: { list: null, n: 1 } } },
    { destination: 'queue:text', key: '', match: { mode: 'any', headers: { list: 'null' } } },
    { destination: 'queue:both', key: '', match: { mode: 'all', headers: { n: 1, list: '' } } },
  )
  expect(to('x', '', { list: null, n: 1 })).toBe('any there')
  expect(to('x', '', { list: '', n: 1 })).toBe('any both there')
})

test('where headers have no types, texts equal the numbers and booleans that they say', () => {
  make(
    { name: 'x', type: 'headers' },
    { destination: 'queue:n', key: '', match: { mode: 'all', headers: { n: 2, yes: true } } },
    { destination: 'queue:t', key: '', match: { mode: 'all', headers: { n: '2.0' } } },
  )
  const source = t.broker.router.source('x')
  const shown = (n: string): readonly string[] =>
    source.route({ ...messageWith('', { n, yes: 'true' }), isText: true }).destinations.map(({ name }) => name)
  expect(shown('2')).toEqual(['n'])
  expect(shown('2.0').toSorted()).toEqual(['n', 't'])
  expect(shown('two')).toEqual([])
})

test('a consistent-hash exchange gives each key to one, by weight, and moves little when one leaves', () => {
  const names = ['a', 'b', 'c', 'd']
  make({ name: 'x', type: 'consistent-hash' }, ...names.map((name, n) => ({ destination: `queue:${name}`, key: String(n + 1) })))
  const keys = Array.from({ length: 10_000 }, (_, n) => `key ${n}`)
  const before = keys.map((key) => to('x', key))
  for (const [n, name] of names.entries()) {
    const share = before.filter((each) => each === name).length / keys.length
    expect(share).toBeGreaterThan((0.9 * (n + 1)) / 10)
    expect(share).toBeLessThan((1.1 * (n + 1)) / 10)
  }
  t.broker.deleteQueue('b')
  const after = keys.map((key) => to('x', key))
  expect(keys.filter((_, n) => before[n] !== 'b' && before[n] !== after[n])).toEqual([])
  expect(after).not.toContain('b')
  expect(() => t.broker.router.bind({ source: 'x', destination: 'queue:a', key: 'heavy' })).toThrow('weight')
})

test('a consistent-hash exchange may look at a header or property instead', () => {
  make(
    { name: 'x', type: 'consistent-hash', hashOn: { header: 'tenant' } },
    { destination: 'queue:a', key: '1' },
    { destination: 'queue:b', key: '1' },
  )
  const found = Array.from({ length: 50 }, (_, n) => to('x', `key ${n}`, { tenant: 7 }))
  expect(new Set(found).size).toBe(1)
  expect(new Set(Array.from({ length: 50 }, (_, n) => to('x', 'k', { tenant: n }))).size).toBe(2)
  expect(t.broker.router.source('x').byHeaders).toBe(true)
})

test('the default exchange knows every queue by its name, and topics whose name no queue has', () => {
  t.broker.createQueue({ name: 'q' })
  t.broker.createTopic({ name: 'q' })
  t.broker.createTopic({ name: 'topic' })
  expect(to('', 'q')).toBe('q')
  expect(route('', 'q').destinations[0]!.kind).toBe('queue')
  expect(to('', 'topic')).toBe('topic')
  const nowhere = route('', 'later')
  t.broker.createQueue({ name: 'later' })
  expect(nowhere.isCurrent).toBe(false)
  expect(to('', 'later')).toBe('later')
  expect(route('', 'q')).toBe(route('', 'q'))
})

test('a message may have more keys', () => {
  make({ name: 'x', type: 'direct' }, { destination: 'queue:a', key: 'a' }, { destination: 'queue:b', key: 'b' })
  expect(byMoreKeys('x')).toBe('a b')
  expect(byMoreKeys('')).toBe('a b')
})

// ---- exchanges over exchanges ---------------------------------------------------------------------------------------

test('bindings between exchanges are followed, round in circles too, and each destination is there once', () => {
  for (const name of ['x', 'y', 'z'])
    make({ name, type: 'fanout' }, { destination: `queue:of-${name}`, key: '' }, { destination: 'queue:all', key: '' })
  for (const [source, next] of ['xy', 'yz', 'zx', 'xx'])
    t.broker.router.bind({ source: source!, destination: `exchange:${next!}`, key: '' })
  expect(to('y', '')).toBe('all of-x of-y of-z')
  t.broker.router.deleteExchange('z')
  expect(to('y', '')).toBe('all of-y')
  expect(to('x', '')).toBe('all of-x of-y')
  expect(t.broker.router.bindings({ destination: 'exchange:z' })).toEqual([])
})

test('what no binding takes goes to the alternate exchange, when there is one', () => {
  make({ name: 'x', type: 'direct', alternate: 'rest' }, { destination: 'queue:a', key: 'a' })
  const before = route('x', 'b')
  expect(before.destinations).toEqual([])
  make({ name: 'rest', type: 'direct', alternate: '' }, { destination: 'queue:b', key: 'b' })
  expect(before.isCurrent).toBe(false)
  const missing = route('x', 'by-name')
  t.broker.createQueue({ name: 'by-name' })
  expect(missing.isCurrent).toBe(false)
  expect(to('x', 'a')).toBe('a')
  expect(to('x', 'b')).toBe('b')
  expect(to('x', 'by-name')).toBe('by-name')
  expect(to('x', 'nobody')).toBe('')
  t.broker.router.updateExchange('x', { alternate: undefined })
  expect(to('x', 'b')).toBe('')
})

test('a binding to an exchange counts as taking the message, though nothing takes it there', () => {
  make({ name: 'dead end', type: 'direct' })
  make({ name: 'rest', type: 'fanout' }, { destination: 'queue:rest', key: '' })
  make({ name: 'x', type: 'fanout', alternate: 'rest' }, { destination: 'exchange:dead end', key: '' })
  expect(to('x', 'k')).toBe('')
})

test('whether headers count is known of all exchanges that may be reached', () => {
  make({ name: 'h', type: 'headers' })
  make({ name: 'x', type: 'fanout' })
  const source = t.broker.router.source('x')
  expect(source.byHeaders).toBe(false)
  t.broker.router.bind({ source: 'x', destination: 'exchange:h', key: '' })
  expect(source.byHeaders).toBe(true)
  t.broker.router.unbind({ source: 'x', destination: 'exchange:h', key: '' })
  expect(source.byHeaders).toBe(false)
  t.broker.router.updateExchange('x', { alternate: 'h' })
  expect(source.byHeaders).toBe(true)
})

// ---- life -----------------------------------------------------------------------------------------------------------

test('creating is idempotent, and refused with other settings', () => {
  const spec: ExchangeSpec = { name: 'x', type: 'topic', labels: { a: 1, b: { c: [1] } } }
  t.broker.router.createExchange(spec)
  t.broker.router.createExchange({ ...spec, labels: { b: { c: [1] }, a: 1 }, durable: true })
  expect(() => t.broker.router.createExchange({ ...spec, type: 'direct' })).toThrow(
    expect.objectContaining({ code: 'already_exists' }),
  )
  expect(t.broker.router.exchange('x')).toEqual({
    ...spec,
    durable: true,
    autoDelete: false,
    internal: false,
    counters: { in: 0, out: 0, unroutable: 0 },
  })
})

test.each<[ExchangeSpec | Record<string, unknown>, string]>([
  [{ name: '', type: 'direct' }, 'illegal_name'],
  [{ name: 'a\nb', type: 'direct' }, 'illegal_name'],
  [{ name: 'é'.repeat(128), type: 'direct' }, 'illegal_name'],
  [{ name: 'x', type: 'random' }, 'bad_request'],
  [{ name: 'x', type: 'direct', hashOn: { header: 'h' } }, 'bad_request'],
  [{ name: 'x', type: 'direct', colour: 'red' }, 'bad_request'],
  [{ name: 'x', type: 'direct', alternate: 'a\u0000' }, 'illegal_name'],
])('%j is refused', (spec, code) => {
  expect(() => t.broker.router.createExchange(spec as ExchangeSpec)).toThrow(expect.objectContaining({ code }))
})

test('any text is a name', () => {
  make({ name: 'Bestellungen/für alle %2F ::', type: 'fanout' }, { destination: 'queue:a', key: '' })
  make({ name: 'x', type: 'fanout' }, { destination: 'exchange:Bestellungen%2Ffür alle %252F ::', key: '' })
  expect(to('x', '')).toBe('a')
})

test('bindings name what exists, and what their exchange understands', () => {
  make({ name: 'x', type: 'topic' })
  t.broker.createQueue({ name: 'q' })
  const bind = (binding: Partial<Binding>) => () =>
    t.broker.router.bind({ source: 'x', destination: 'queue:q', key: '', ...binding })
  expect(bind({ source: 'y' })).toThrow(expect.objectContaining({ code: 'not_found' }))
  expect(bind({ destination: 'queue:none' })).toThrow(expect.objectContaining({ code: 'not_found' }))
  expect(bind({ destination: 'exchange:x/key' })).toThrow(expect.objectContaining({ code: 'bad_request' }))
  expect(bind({ match: { mode: 'all', headers: {} } })).toThrow(expect.objectContaining({ code: 'bad_request' }))
  expect(bind({ key: 'k'.repeat(256) })).toThrow(expect.objectContaining({ code: 'bad_request' }))
  expect(t.broker.router.bindings()).toEqual([])
})

test('an exchange that is in use is kept when asked to', () => {
  make({ name: 'x', type: 'fanout' }, { destination: 'queue:a', key: '' })
  expect(() => t.broker.router.deleteExchange('x', { ifUnused: true })).toThrow(expect.objectContaining({ code: 'in_use' }))
  t.broker.router.unbind({ source: 'x', destination: 'queue:a', key: '' })
  const source = t.broker.router.source('x')
  t.broker.router.deleteExchange('x', { ifUnused: true })
  expect(() => source.route(messageWith(''))).toThrow(expect.objectContaining({ code: 'not_found' }))
})

test('an exchange that deletes itself goes with its last binding, and those that fed only it as well', () => {
  make(
    { name: 'inner', type: 'fanout', autoDelete: true },
    { destination: 'queue:a', key: '' },
    { destination: 'queue:b', key: '' },
  )
  make({ name: 'outer', type: 'fanout', autoDelete: true }, { destination: 'exchange:inner', key: '' })
  t.broker.deleteQueue('a')
  expect(t.broker.router.exchanges().map(({ name }) => name)).toEqual(['inner', 'outer'])
  t.broker.deleteQueue('b')
  expect(t.broker.router.exchanges()).toEqual([])
})

test('deleting a queue or topic takes its bindings with it', async () => {
  t.broker.createTopic({ name: 't' })
  make({ name: 'x', type: 'fanout' }, { destination: 'queue:q', key: '' }, { destination: 'topic:t', key: '' })
  const old = route('x', '')
  t.broker.deleteQueue('q')
  t.broker.createQueue({ name: 'q' })
  expect(to('x', '')).toBe('t')
  expect(old.isCurrent).toBe(false)
  // Between finding a route and using it, a destination may go: the others get the message.
  expect(old.publish(batchOf('m'))).toBeUndefined()
  expect(await valuesOf('topic:t')).toEqual(['m'])
  expect(await valuesOf('queue:q')).toEqual([])
})

test('what is durable is there after a restart; what is not is gone with its bindings', async () => {
  make({ name: 'kept', type: 'headers', alternate: 'passing', internal: true, labels: { l: [1] } })
  make({ name: 'passing', type: 'topic', durable: false }, { destination: 'queue:q', key: '#' })
  const binding: Binding = {
    source: 'kept',
    destination: 'queue:q',
    key: 'k',
    match: { mode: 'any', headers: { a: 1, b: null } },
    labels: { x: 1 },
  }
  t.broker.router.bind(binding)
  t.broker.router.bind({ source: 'kept', destination: 'exchange:passing', key: '' })
  await t.settle()
  for (const again of [() => t.crash(), () => t.restart()]) {
    await again()
    expect(t.broker.router.exchanges()).toEqual([
      {
        name: 'kept',
        type: 'headers',
        alternate: 'passing',
        internal: true,
        labels: { l: [1] },
        durable: true,
        autoDelete: false,
        counters: { in: 0, out: 0, unroutable: 0 },
      },
    ])
    expect(t.broker.router.bindings()).toEqual([binding])
    expect(to('kept', '', { b: 'x' })).toBe('q')
    // New entities do not take the place of old ones.
    t.broker.createQueue({ name: `new ${t.broker.queues().length}`.replace(' ', '-') })
    await t.settle()
  }
})

// ---- routes and publishing ------------------------------------------------------------------------------------------

test('the same destinations are the same route, as long as nothing changes', () => {
  make({ name: 'x', type: 'topic' }, { destination: 'queue:a', key: '#' }, { destination: 'queue:b', key: 'k.*' })
  const one = route('x', 'k.1')
  expect(route('x', 'k.2')).toBe(one)
  expect(route('x', 'other')).not.toBe(one)
  expect(one.isCurrent).toBe(true)
  t.broker.createQueue({ name: 'unrelated' })
  expect(one.isCurrent).toBe(true)
  t.broker.router.bind({ source: 'x', destination: 'queue:unrelated', key: 'nothing' })
  expect(one.isCurrent).toBe(false)
  expect(route('x', 'k.1')).not.toBe(one)
})

test('all destinations get a batch, of which one copy is stored', async () => {
  t.broker.createTopic({ name: 't', partitions: 3 })
  make(
    { name: 'x', type: 'fanout' },
    { destination: 'topic:t', key: '' },
    ...Array.from({ length: 20 }, (_, n) => ({ destination: `queue:q${n}`, key: '' })),
  )
  await t.settle()
  const before = t.store.stats.journalBytes
  const text = 'x'.repeat(10_000)
  expect(route('x', 'k').publish(batchOf('one', text))).toBeUndefined()
  await t.settle()
  for (let n = 0; n < 20; n++) expect(await valuesOf(`queue:q${n}`)).toEqual(['one', text])
  expect(t.broker.topic('t').partitionInfo.reduce((sum, { end }) => sum + end, 0)).toBe(2)
  expect(t.store.stats.journalBytes - before).toBeLessThan(2 * text.length)
  expect(t.broker.router.exchange('x').counters).toEqual({ in: 2, out: 42, unroutable: 0 })
})

test('a key decides the partition of a topic, also when there is no other destination', async () => {
  t.broker.createTopic({ name: 't', partitions: 8 })
  make({ name: 'x', type: 'fanout' }, { destination: 'topic:t', key: '' })
  const key = new TextEncoder().encode('customer 7')
  for (let n = 0; n < 5; n++) route('x', 'k').publish(encodeBatch([{ timestampMs: 0, key, value: key }]))
  await t.settle()
  const partition = t.broker.destination('topic:t', false).partitionFor(key)
  expect(t.broker.topic('t').partitionInfo[partition]!.end).toBe(5)
})

test('what nothing takes is counted, and has a ticket that comes', async () => {
  make({ name: 'x', type: 'direct' })
  expect(route('x', 'k').publish(batchOf('1', '2'))).toBeUndefined()
  expect(t.broker.router.exchange('x').counters).toEqual({ in: 2, out: 0, unroutable: 2 })
  await t.settle()
  route('x', 'k').publish(batchOf('3'))
  const ticket = t.broker.ticket()
  await t.settle()
  expect(t.broker.committedTicket).toBe(ticket)
})

test('a destination that is full does not keep the others from taking it', async () => {
  make(
    { name: 'x', type: 'fanout' },
    { destination: 'queue:small', key: '' },
    { destination: 'queue:a', key: '' },
    { destination: 'queue:ring', key: '' },
  )
  t.broker.updateQueue('small', { limits: { messages: 2 } })
  t.broker.updateQueue('ring', { limits: { messages: 2, overflow: 'drop-head' } })
  const refused = route('x', '').publish(batchOf('1', '2', '3'))
  expect(refused).toEqual([
    {
      destination: expect.objectContaining({ name: 'small' }),
      position: 2,
      error: expect.objectContaining({ code: 'queue_full' }),
    },
  ])
  const again = route('x', '').publish(batchOf('4'))
  expect(again!.map(({ destination, position }) => [destination.name, position])).toEqual([['small', 0]])
  expect(await valuesOf('queue:small')).toEqual(['1', '2'])
  expect(await valuesOf('queue:a')).toEqual(['1', '2', '3', '4'])
  expect(await valuesOf('queue:ring')).toEqual(['3', '4'])
  expect(t.broker.router.exchange('x').counters).toEqual({ in: 4, out: 10, unroutable: 0 })
})

test('one that is full and the only destination says so in the same way', async () => {
  make({ name: 'x', type: 'direct' }, { destination: 'queue:small', key: 'k' })
  t.broker.updateQueue('small', { limits: { messages: 1 } })
  expect(positionsOf('1', '2')).toEqual([1])
  expect(positionsOf('3')).toEqual([0])
  await t.settle()
  t.broker.purgeQueue('small')
  expect(positionsOf('4')).toBeUndefined()
})

test('dedup, priorities and rules of each destination hold', async () => {
  make(
    { name: 'x', type: 'fanout' },
    { destination: 'queue:once', key: '' },
    { destination: 'queue:levels', key: '' },
    { destination: 'queue:plain', key: '' },
  )
  t.broker.updateQueue('once', { dedup: { windowMs: 60_000 } })
  t.broker.updateQueue('levels', { priorities: 5 })
  t.broker.createTopic({ name: 'table', cleanup: 'compact' })
  t.broker.createTopic({ name: 'short', batchBytesMax: 100 })
  for (const destination of ['topic:table', 'topic:short']) t.broker.router.bind({ source: 'x', destination, key: '' })
  const encoder = new TextEncoder()
  const records = [1, 4, 1].map((priority, n) => ({
    timestampMs: 0,
    value: encoder.encode(`m${n}`),
    headers: [
      { key: 'priority', value: String(priority) },
      { key: 'message-id', value: `id ${n % 2}` },
    ],
  }))
  const refused = route('x', '').publish(encodeBatch(records))
  expect(refused!.map(({ destination, position, error }) => [destination.name, position, error.code])).toEqual([
    ['table', 0, 'bad_request'],
    ['short', 0, 'record_too_large'],
  ])
  expect(await valuesOf('queue:once')).toEqual(['m0', 'm1'])
  expect(await valuesOf('queue:levels')).toEqual(['m1', 'm0', 'm2'])
  expect(await valuesOf('queue:plain')).toEqual(['m0', 'm1', 'm2'])
  // All of one level: the queue with priorities shares the copy.
  route('x', '').publish(encodeBatch(records.slice(1, 2)))
  await t.settle()
  expect(t.broker.queue('levels').levels).toMatchObject([
    { priority: 4, ready: 2 },
    { priority: 1, ready: 2 },
    { priority: 0, ready: 0 },
  ])
  expect(t.broker.queue('once').ready).toBe(2)
})

test('what the broker takes at all comes to all destinations, also when it is the last for which there is room', async () => {
  const { journal, hold, release } = await heldJournal()
  t = await TestBroker.open({ storage: { pendingBytesHigh: 1024, pendingBytesLow: 512 } }, 1, journal)
  make({ name: 'x', type: 'direct' }, ...['a', 'b'].map((name) => ({ destination: `queue:${name}`, key: 'k' })))
  for (const name of ['once', 'ranked'])
    t.broker.createQueue(name === 'once' ? { name, dedup: { windowMs: 60_000 } } : { name, priorities: 3 })
  for (const name of ['once', 'ranked']) t.broker.router.bind({ source: 'x', destination: `queue:${name}`, key: 'k' })
  await t.settle()
  hold()
  const batch = batchOf('v'.repeat(100))
  let taken = 0
  const publishAll = (): void => {
    for (; taken < 1000; taken++) expect(route('x', 'k').publish(batch)).toBeUndefined()
  }
  expect(publishAll).toThrow(expect.objectContaining({ code: 'overloaded' }))
  release()
  await t.settle()
  expect(taken).toBeGreaterThan(1)
  for (const name of ['a', 'b', 'once', 'ranked']) expect([name, t.broker.queue(name).ready]).toEqual([name, taken])
})

test('a batch that is malformed is refused before anything is published', async () => {
  make({ name: 'x', type: 'fanout' }, { destination: 'queue:a', key: '' }, { destination: 'queue:b', key: '' })
  const batch = batchOf('m').slice()
  batch[64] = batch[64]! ^ 1
  expect(() => route('x', '').publish(batch)).toThrow(expect.objectContaining({ code: 'bad_batch' }))
  expect(await valuesOf('queue:a')).toEqual([])
})

test('a message for later comes to each destination', async () => {
  make({ name: 'x', type: 'fanout' }, { destination: 'queue:a', key: '' }, { destination: 'queue:b', key: '' })
  const ids = route('x', '').publishLater(batchOf('m'), t.platform.clock.nowMs() + 1000)
  expect(ids).toHaveLength(2)
  t.broker.cancelScheduled(ids[1]!)
  await t.advance(2000)
  expect(await valuesOf('queue:a')).toEqual(['m'])
  expect(await valuesOf('queue:b')).toEqual([])
})
