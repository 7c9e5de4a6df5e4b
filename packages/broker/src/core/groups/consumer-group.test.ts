import { describe, expect, test } from 'vitest'
import type { ConsumerHeartbeat, TopicPartitions, TopicPattern } from './consumer-groups.ts'
import { ConsumerClient } from '../../../test/core/consumer-client.ts'
import { GroupClient } from '../../../test/core/group-client.ts'
import { TestBroker } from '../../../test/core/harness.ts'

async function open(
  partitions = 4,
): Promise<{ t: TestBroker; client: (id: string, topics?: string[], instanceId?: string) => ConsumerClient }> {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 't', partitions })
  await t.settle()
  return { t, client: (id, topics = ['t'], instanceId) => new ConsumerClient(t, id, topics, instanceId) }
}

/** Heartbeats until nobody has anything left to do. */
function comeToRest(...clients: ConsumerClient[]): void {
  for (let round = 0; round < 4; round++) {
    for (const client of clients) {
      client.beat()
      client.follow()
    }
  }
}

function state(t: TestBroker): string | undefined {
  return t.broker.groups.describe('g')?.state
}

function startingWith(source: string): TopicPattern {
  return { source, matches: (topic) => topic.startsWith(source) }
}

function topicsOf({ last }: ConsumerClient): string[] {
  return (last as { assignment?: TopicPartitions[] }).assignment!.map(({ topic }) => topic)
}

describe('patterns', () => {
  test('take topics that come and let go of those that are deleted, whatever their names', async () => {
    const { t, client } = await open()
    const a = client('a', [])
    a.beat({ pattern: startingWith('orders') })
    expect(topicsOf(a)).toEqual([])
    for (const name of ['orders-1', 'orders-2', 'other']) t.broker.createTopic({ name })
    a.beat()
    expect(topicsOf(a)).toEqual(['orders-1', 'orders-2'])
    a.follow()
    t.broker.deleteTopic('orders-1')
    comeToRest(a)
    expect(a.reads).toBe('orders-2-0')
    t.broker.createTopic({ name: 'orders-1', partitions: 2 })
    comeToRest(a)
    expect(a.reads).toBe('orders-1-0 orders-1-1 orders-2-0')
  })

  test('are shared, changed and given up', async () => {
    const { t, client } = await open()
    for (const name of ['x-1', 'x-2', 'y-1']) t.broker.createTopic({ name })
    const [a, b] = [client('a', []), client('b', ['y-1'])]
    a.beat({ pattern: startingWith('x') })
    b.beat({ pattern: startingWith('x') })
    comeToRest(a, b)
    expect([...a.owned, ...b.owned].toSorted()).toEqual(['x-1-0', 'x-2-0', 'y-1-0'])
    expect(b.owned).toContain('y-1-0')
    a.beat({ pattern: startingWith('y') })
    comeToRest(a, b)
    expect(b.owned).toEqual(new Set(['x-1-0', 'x-2-0']))
    expect(a.reads).toBe('y-1-0')
    a.beat({ pattern: null })
    comeToRest(a, b)
    expect(a.reads).toBe('')
    expect(b.reads).toBe('x-1-0 x-2-0 y-1-0')
    expect(client('c').beat({ topics: undefined } as unknown as Partial<ConsumerHeartbeat>)).toBe('bad-request')
  })
})

describe('assignment', () => {
  test('the first member gets everything at once', async () => {
    const { t, client } = await open()
    const a = client('a')
    expect(a.beat()).toBe(1)
    expect(a.last).toMatchObject({
      memberId: 'a',
      heartbeatIntervalMs: 5000,
      assignment: [{ topic: 't', partitions: [0, 1, 2, 3] }],
    })
    a.follow()
    expect(a.beat()).toBe(1)
    expect(a.last).not.toHaveProperty('assignment')
    expect(t.broker.groups.describe('g')).toMatchObject({
      type: 'consumer',
      state: 'stable',
      protocolType: 'consumer',
      protocol: 'uniform',
      generation: 1,
      assignmentEpoch: 1,
      members: [
        { memberId: 'a', clientId: 'client', consumer: { epoch: 1, topics: ['t'], assigned: [{ partitions: [0, 1, 2, 3] }] } },
      ],
    })
  })

  test('a second one gets its share once the first has stopped reading it', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    a.beat()
    a.follow()
    expect(b.beat()).toBe(2)
    expect(b.target.size).toBe(0)
    expect(state(t)).toBe('reconciling')
    expect(a.beat()).toBe(1)
    expect(a.target.size).toBe(2)
    b.beat()
    expect(b.target.size).toBe(0)
    a.follow()
    expect(a.beat()).toBe(2)
    b.beat()
    b.follow()
    expect([a.reads, b.reads]).toEqual(['t-0 t-1', 't-2 t-3'])
    expect(state(t)).toBe('stable')
  })

  test('what a member leaves goes to the others; the last one leaves an empty group', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    comeToRest(a, b)
    expect(a.send({ epoch: -1 })).toMatchObject({ memberId: 'a', epoch: -1 })
    expect(state(t)).toBe('assigning')
    comeToRest(b)
    expect(b.reads).toBe('t-0 t-1 t-2 t-3')
    b.send({ epoch: -1 })
    expect(state(t)).toBe('empty')
    expect(b.send()).toEqual({ problem: 'unknown-member' })
  })

  test('topics that get partitions, come, go or are made again are followed', async () => {
    const { t, client } = await open(2)
    const a = client('a', ['t', 'later'])
    comeToRest(a)
    expect(a.reads).toBe('t-0 t-1')
    t.broker.updateTopic('t', { partitions: 3 })
    t.broker.createTopic({ name: 'later' })
    comeToRest(a)
    expect(a.reads).toBe('later-0 t-0 t-1 t-2')
    t.broker.deleteTopic('t')
    comeToRest(a)
    expect(a.reads).toBe('later-0')
    t.broker.createTopic({ name: 't' })
    comeToRest(a)
    expect(a.reads).toBe('later-0 t-0')
  })

  test('a member that changes what it names changes what it gets', async () => {
    const { t, client } = await open(2)
    t.broker.createTopic({ name: 'u' })
    const [a, b] = [client('a'), client('b')]
    comeToRest(a, b)
    expect(a.beat({ topics: ['u'] })).toBe(2)
    expect([...a.target]).toEqual([])
    comeToRest(a, b)
    expect([a.reads, b.reads]).toEqual(['u-0', 't-0 t-1'])
    expect(a.beat({ topics: ['u', 'u'] })).toBe(a.epoch)
    expect(state(t)).toBe('stable')
  })

  test('most votes choose the assignor', async () => {
    const { t, client } = await open(3)
    t.broker.createTopic({ name: 'u', partitions: 3 })
    const members = ['a', 'b', 'c'].map((id) => client(id, ['t', 'u']))
    for (const member of members) member.assignor = 'range'
    expect(client('x').beat({ assignor: 'best' })).toBe('unsupported-assignor')
    comeToRest(...members)
    expect(members.map(({ reads }) => reads)).toEqual(['t-0 u-0', 't-1 u-1', 't-2 u-2'])
    expect(t.broker.groups.describe('g')?.protocol).toBe('range')
  })
})

describe('epochs', () => {
  test('a member with a wrong one is fenced', async () => {
    const { client } = await open()
    const a = client('a')
    comeToRest(a)
    expect(a.send({ epoch: 9 })).toEqual({ problem: 'fenced-epoch' })
    comeToRest(a, client('b'))
    expect(a.epoch).toBe(2)
    expect(a.send({ epoch: 1 })).toEqual({ problem: 'fenced-epoch' })
    expect(a.send({ epoch: 1, owned: [{ topic: 't', partitions: [0, 1, 2, 3] }] })).toEqual({ problem: 'fenced-epoch' })
    expect(a.send({ epoch: 1, owned: a.reported() })).toMatchObject({ epoch: 2 })
  })

  test('an answer that was lost is given again', async () => {
    const { client } = await open()
    const a = client('a')
    a.send()
    expect(a.send()).toMatchObject({ epoch: 1, assignment: [{ partitions: [0, 1, 2, 3] }] })
    comeToRest(a)
    const b = client('b')
    b.beat()
    a.beat()
    a.follow()
    a.send()
    expect(a.sendAll()).toMatchObject({ epoch: 2, assignment: [{ partitions: [0, 1] }] })
  })

  test('a member that joins again under its id reads nothing before it is told to', async () => {
    const { client } = await open()
    const [a, b] = [client('a'), client('b')]
    comeToRest(a, b)
    a.epoch = 0
    a.owned.clear()
    expect(a.beat()).toBe(2)
    comeToRest(a, b)
    expect([a.reads, b.reads]).toEqual(['t-0 t-1', 't-2 t-3'])
  })

  test('requests that lack something are refused', async () => {
    const { client } = await open()
    const problem = (change: Parameters<ConsumerClient['send']>[0]) => client('a').send(change).problem
    expect(problem({ owned: [{ topic: 't', partitions: [0] }] })).toBe('bad-request')
    expect(problem({ rebalanceTimeoutMs: 0 })).toBe('bad-request')
    expect(problem({ epoch: -2 })).toBe('bad-request')
    expect(problem({ epoch: -3 })).toBe('bad-request')
    expect(problem({ group: '' })).toBe('bad-group')
    expect(problem({ epoch: 3 })).toBe('unknown-member')
    expect(problem({ memberId: '' })).toBeUndefined()
  })
})

describe('time', () => {
  test('who is not heard of loses what it has', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    comeToRest(a, b)
    await t.advance(30_000)
    b.beat()
    await t.advance(15_000)
    comeToRest(b)
    expect(b.reads).toBe('t-0 t-1 t-2 t-3')
    expect(a.beat()).toBe('unknown-member')
  })

  test('who does not stop reading in time is removed', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    comeToRest(a)
    b.beat()
    a.beat()
    await t.advance(19_999)
    expect(a.send()).toMatchObject({ epoch: 1 })
    b.beat()
    await t.advance(1)
    expect(a.beat()).toBe('unknown-member')
    comeToRest(b)
    expect(b.reads).toBe('t-0 t-1 t-2 t-3')
  })

  test('who stops reading in time stays', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    comeToRest(a)
    b.beat()
    a.beat()
    a.follow()
    a.beat()
    await t.advance(40_000)
    expect(a.beat()).toBe(2)
  })
})

describe('a static member', () => {
  test('that leaves for a while finds what it had', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a', ['t'], 'i'), client('b')]
    comeToRest(a, b)
    expect(client('a2', ['t'], 'i').beat()).toBe('unreleased-instance')
    expect(a.send({ epoch: -2 })).toMatchObject({ epoch: -2 })
    await t.advance(30_000)
    b.beat()
    const back = client('a2', ['t'], 'i')
    expect(back.beat()).toBe(2)
    back.follow()
    comeToRest(back, b)
    expect([back.reads, b.reads, b.epoch]).toEqual(['t-0 t-1', 't-2 t-3', 2])
    expect(a.beat()).toBe('fenced-instance')
  })

  test('that does not come back loses it', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a', ['t'], 'i'), client('b')]
    comeToRest(a, b)
    a.send({ epoch: -2 })
    await t.advance(30_000)
    b.beat()
    await t.advance(15_000)
    comeToRest(b)
    expect(b.reads).toBe('t-0 t-1 t-2 t-3')
  })

  test('is removed by its instance id', async () => {
    const { t, client } = await open()
    comeToRest(client('a', ['t'], 'i'), client('b'))
    expect(t.broker.groups.leave('g', [{ memberId: '', instanceId: 'i' }, { memberId: 'x' }])).toEqual([
      undefined,
      'unknown-member',
    ])
    expect(t.broker.groups.describe('g')!.members).toHaveLength(1)
  })
})

test('commits are of the epoch of their member', async () => {
  const { t, client } = await open()
  const { groups } = t.broker
  const offsets = [{ topic: 't', partition: 0, offset: 5 }]
  const a = client('a')
  comeToRest(a)
  expect(groups.commitOffsets('g', offsets, { memberId: 'a', generation: 1 })).toEqual([undefined])
  expect(groups.commitOffsets('g', offsets, { memberId: 'a', generation: 0 })).toBe('stale-epoch')
  expect(groups.commitOffsets('g', offsets, { memberId: 'x', generation: 1 })).toBe('unknown-member')
  expect(groups.commitOffsets('g', offsets)).toBe('unknown-member')
  expect(groups.deleteGroup('g')).toBe('not-empty')
  a.send({ epoch: -1 })
  expect(groups.commitOffsets('g', offsets)).toEqual([undefined])
  expect(groups.deleteGroup('g')).toBeUndefined()
})

test('an empty group changes its type with who comes', async () => {
  const { t, client } = await open()
  const { groups } = t.broker
  const a = client('a')
  comeToRest(a)
  groups.commitOffsets('g', [{ topic: 't', partition: 0, offset: 5 }], { memberId: 'a', generation: 1 })
  const c = new GroupClient(t, 'c')
  expect(c.join().joined?.problem).toBe('inconsistent-protocol')
  expect(groups.heartbeat({ group: 'g', memberId: 'a', generation: 1 })).toBe('unknown-member')
  a.send({ epoch: -1 })
  c.join()
  await t.advance(200)
  expect(groups.describe('g')?.type).toBe('classic')
  expect(client('b').beat()).toBe('inconsistent-protocol')
  c.leave()
  expect(client('b').beat()).toBe(1)
  expect(groups.offset('g', 't', 0)?.offset).toBe(5)
})

test('a crash of the broker ends all memberships', async () => {
  const { t, client } = await open()
  const a = client('a')
  comeToRest(a)
  await t.crash()
  expect(a.beat()).toBe('unknown-member')
  comeToRest(a)
  expect(a.reads).toBe('t-0 t-1 t-2 t-3')
})
