import { describe, expect, test } from 'vitest'
import { type ClientSettings, GroupClient } from '../../../test/core/group-client.ts'
import { TestBroker } from '../../../test/core/harness.ts'

const DELAY_MS = 100

async function open(): Promise<{ t: TestBroker; client: (name: string, settings?: ClientSettings) => GroupClient }> {
  const t = await TestBroker.open()
  return { t, client: (name, settings) => new GroupClient(t, name, settings) }
}

/** A stable group of these members, of which the first leads. */
async function stable(t: TestBroker, ...clients: GroupClient[]): Promise<void> {
  for (const client of clients) client.join()
  await t.advance(2 * DELAY_MS)
  syncAll(clients)
}

function syncAll(clients: readonly GroupClient[]): void {
  for (const client of clients) {
    if (!client.isLeader) client.sync()
  }
  const all = Object.fromEntries(clients.map(({ memberId, name }) => [memberId, `for ${name}`]))
  clients.find((client) => client.isLeader)!.sync(all)
}

function stateOf(t: TestBroker): string | undefined {
  return t.broker.groups.describe('g')?.state
}

describe('joining', () => {
  test('members that come together share the first generation, and its leader gets to know all', async () => {
    const { t, client } = await open()
    const [a, b, c] = [client('a').join(), client('b').join(), client('c')]
    expect([a.joined, b.joined, stateOf(t)]).toEqual([undefined, undefined, 'preparing-rebalance'])
    await t.advance(DELAY_MS - 1)
    c.join()
    await t.advance(DELAY_MS)
    expect([a.joined, c.joined]).toEqual([undefined, undefined])
    await t.advance(1)
    expect([a.generation, b.generation, c.generation]).toEqual([1, 1, 1])
    expect(a.isLeader).toBe(true)
    expect(a.members).toEqual(['a', 'b', 'c'])
    expect(b.members).toEqual([])
    expect(a.memberId).toMatch(/^a-[0-9a-f]{32}$/)
    expect(stateOf(t)).toBe('completing-rebalance')
  })

  test('the first wait for more members has an end', async () => {
    const { t, client } = await open()
    const a = client('a', { rebalanceTimeoutMs: 250 }).join()
    for (let n = 0; n < 4; n++) {
      await t.advance(70)
      if (a.joined === undefined) client(`x${n}`, { rebalanceTimeoutMs: 250 }).join()
    }
    expect(a.generation).toBe(1)
  })

  test('members that ask for no time at all have a moment to ask for their assignment, and to join again', async () => {
    const { t, client } = await open()
    const [a, b] = ['a', 'b'].map((name) => client(name, { rebalanceTimeoutMs: 0 }).join()) as [GroupClient, GroupClient]
    await t.advance(DELAY_MS)
    expect([a.generation, b.generation]).toEqual([1, 1])
    await t.advance(999)
    syncAll([a, b])
    expect([a.assignment, b.assignment]).toEqual(['for a', 'for b'])
    const c = client('c', { rebalanceTimeoutMs: 0 }).join()
    await t.advance(999)
    a.join()
    b.join()
    expect([a.generation, b.generation, c.generation]).toEqual([2, 2, 2])
    await t.advance(1000)
    expect([a, b, c].map((each) => each.heartbeat())).toEqual(['unknown-member', 'unknown-member', 'unknown-member'])
  })

  test('a new member may have to come again with the id that it was given', async () => {
    const { t, client } = await open()
    const a = client('a', { requireMemberId: true }).join()
    expect(a.joined).toEqual({ problem: 'member-id-required', memberId: a.memberId })
    expect(a.memberId).not.toBe('')
    expect(stateOf(t)).toBe('empty')
    a.join()
    await t.advance(2 * DELAY_MS)
    expect(a.generation).toBe(1)
  })

  test('an id that was given out and not used ends with its session, and holds nobody up', async () => {
    const { t, client } = await open()
    const [a, b, c] = [client('a'), client('b'), client('c', { requireMemberId: true })]
    await stable(t, a, b)
    c.join()
    a.join()
    b.join()
    expect(a.joined).toBeUndefined()
    await t.advance(10_000)
    expect([a.generation, b.generation]).toEqual([2, 2])
    expect(c.join().joined).toMatchObject({ problem: 'unknown-member' })
  })

  test('an id that the group does not know is refused', async () => {
    const { t, client } = await open()
    const a = client('a')
    a.memberId = 'a-1'
    expect(a.join().joined).toEqual({ problem: 'unknown-member', memberId: 'a-1' })
    await stable(t, client('b'))
    expect(a.join().joined).toEqual({ problem: 'unknown-member', memberId: 'a-1' })
  })

  test('sessions are within bounds, names too', async () => {
    const { client } = await open()
    const problem = (settings: ClientSettings) => client('a', settings).join().joined?.problem
    expect(problem({ sessionTimeoutMs: 5999 })).toBe('bad-session-timeout')
    expect(problem({ sessionTimeoutMs: 1_800_001 })).toBe('bad-session-timeout')
    expect(problem({ group: '' })).toBe('bad-group')
    expect(problem({ group: 'g'.repeat(1025) })).toBe('bad-group')
    expect(problem({ rebalanceTimeoutMs: -1 })).toBe('bad-request')
    expect(problem({ protocols: [['range', 'x'.repeat(600_000)]] })).toBe('bad-request')
    expect(problem({ sessionTimeoutMs: 6000 })).toBeUndefined()
  })

  test('a group has a greatest size', async () => {
    const t = await TestBroker.open({ groups: { membersMax: 2 } })
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new GroupClient(t, name)) as [GroupClient, GroupClient, GroupClient]
    await stable(t, a, b)
    expect(c.join().joined).toEqual({ problem: 'group-full', memberId: '' })
    a.join()
    b.join()
    expect(c.join().joined).toEqual({ problem: 'group-full', memberId: '' })
    expect([a.generation, b.generation]).toEqual([2, 2])
    syncAll([a, b])
    b.leave()
    a.join()
    expect(a.generation).toBe(3)
    expect(c.join().joined).toBeUndefined()
  })
})

describe('protocols', () => {
  test('the group uses one that all members offer, and most prefer', async () => {
    const { t, client } = await open()
    const [a, b, c] = [
      client('a', { protocols: [['sticky', 'a'], ['range', 'a'], ['own', 'a']] }),
      client('b', { protocols: [['range', 'b'], ['sticky', 'b']] }),
      client('c', { protocols: [['range', 'c'], ['sticky', 'c'], ['other', 'c']] }),
    ] // prettier-ignore
    await stable(t, a, b, c)
    expect([a, b, c].map(({ joined }) => joined)).toMatchObject(
      Array.from({ length: 3 }, () => ({ protocol: 'range', protocolType: 'consumer' })),
    )
  })

  test('who has none in common, or another type, does not come in', async () => {
    const { t, client } = await open()
    const inconsistent = { problem: 'inconsistent-protocol' }
    expect(client('n', { protocols: [] }).join().joined).toMatchObject(inconsistent)
    expect(client('n', { protocolType: '' }).join().joined).toMatchObject(inconsistent)
    const a = client('a')
    await stable(t, a)
    expect(client('b', { protocols: [['sticky', 'b']] }).join().joined).toMatchObject(inconsistent)
    expect(client('b', { protocolType: 'connect' }).join().joined).toMatchObject(inconsistent)
    expect(a.heartbeat()).toBeUndefined()
    expect(a.sync({}, { protocol: 'sticky' }).synced).toEqual(inconsistent)
  })
})

describe('assignment', () => {
  test('what the leader assigns reaches everybody, whenever they ask', async () => {
    const { t, client } = await open()
    const [a, b, c] = [client('a').join(), client('b').join(), client('c').join()]
    await t.advance(2 * DELAY_MS)
    b.sync()
    expect(b.synced).toBeUndefined()
    a.sync({ [a.memberId]: '0', [b.memberId]: '1', nobody: '9' })
    expect([a.assignment, b.assignment, stateOf(t)]).toEqual(['0', '1', 'stable'])
    // It was left out.
    expect(c.sync().assignment).toBe('')
    expect(b.sync().synced).toMatchObject({ protocol: 'range', protocolType: 'consumer' })
    expect(b.assignment).toBe('1')
  })

  test('a generation that is over, or a stranger, gets none', async () => {
    const { t, client } = await open()
    const a = client('a')
    await stable(t, a)
    expect(a.sync({}, { generation: 7 }).synced).toEqual({ problem: 'illegal-generation' })
    const stranger = client('x')
    expect(stranger.sync().synced).toEqual({ problem: 'unknown-member' })
    const b = client('b').join()
    expect(a.sync().synced).toEqual({ problem: 'rebalancing' })
    expect(b.joined).toBeUndefined()
  })

  test('who waits for the leader is sent back when somebody else comes', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a').join(), client('b').join()]
    await t.advance(2 * DELAY_MS)
    b.sync()
    client('c').join()
    expect(b.synced).toEqual({ problem: 'rebalancing' })
    expect(a.sync().synced).toEqual({ problem: 'rebalancing' })
  })

  test('who does not ask for an assignment is not there', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a', { sessionTimeoutMs: 60_000 }).join(), client('b', { sessionTimeoutMs: 60_000 }).join()]
    await t.advance(2 * DELAY_MS)
    a.sync()
    await t.advance(30_000)
    expect(a.heartbeat()).toBe('rebalancing')
    expect(b.heartbeat()).toBe('unknown-member')
    a.join()
    expect(a).toMatchObject({ generation: 2, members: ['a'] })
  })
})

describe('a rebalance', () => {
  test('begins with a new member, tells others by their heartbeats, and ends when all are back', async () => {
    const { t, client } = await open()
    const [a, b, c] = [client('a'), client('b'), client('c')]
    await stable(t, a, b)
    expect([a.heartbeat(), b.heartbeat()]).toEqual([undefined, undefined])
    c.join()
    expect([a.heartbeat(), b.heartbeat()]).toEqual(['rebalancing', 'rebalancing'])
    a.join()
    expect([a.joined, c.joined]).toEqual([undefined, undefined])
    b.join()
    expect([a.generation, b.generation, c.generation]).toEqual([2, 2, 2])
    expect(a.members).toEqual(['a', 'b', 'c'])
  })

  test('goes on without those who do not come back in time', async () => {
    const { t, client } = await open()
    const [a, b, c] = [client('a', { sessionTimeoutMs: 60_000 }), client('b'), client('c')]
    await stable(t, a, b)
    c.join()
    for (let n = 0; n < 4; n++) {
      b.join()
      await t.advance(7_000)
      expect(a.heartbeat()).toBe('rebalancing')
    }
    await t.advance(2_000)
    expect([b.generation, c.generation]).toEqual([2, 2])
    expect(b.isLeader).toBe(true)
    expect(b.members).toEqual(['b', 'c'])
    expect(a.heartbeat()).toBe('unknown-member')
  })

  test('begins when the leader joins again, or a follower with something new; not for a follower that has nothing new', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    await stable(t, a, b)
    expect(b.join().joined).toMatchObject({ generation: 1, leader: a.memberId, members: [], skipAssignment: false })
    expect(stateOf(t)).toBe('stable')
    expect(b.sync().assignment).toBe('for b')
    expect(b.join({ protocols: [['range', 'b2']] }).joined).toBeUndefined()
    a.join()
    expect(a).toMatchObject({ generation: 2, members: ['a', 'b2'] })
    syncAll([a, b])
    expect(a.join().joined).toBeUndefined()
    expect(b.heartbeat()).toBe('rebalancing')
  })

  test('a retry while the leader assigns gets the same answer', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a').join(), client('b').join()]
    await t.advance(2 * DELAY_MS)
    expect(a.join()).toMatchObject({ generation: 1, members: ['a', 'b'] })
    expect(b.join()).toMatchObject({ generation: 1, members: [] })
    b.join({ protocols: [['range', 'b2']] })
    expect([b.joined, stateOf(t)]).toEqual([undefined, 'preparing-rebalance'])
  })

  test('begins when somebody leaves; what the last one leaves is empty', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    await stable(t, a, b)
    a.leave()
    expect(a.heartbeat()).toBe('unknown-member')
    expect(b.heartbeat()).toBe('rebalancing')
    b.join()
    expect(b).toMatchObject({ generation: 2, isLeader: true, members: ['b'] })
    b.leave()
    expect(t.broker.groups.describe('g')).toMatchObject({ state: 'empty', generation: 3, members: [], protocolType: 'consumer' })
    expect(b.heartbeat()).toBe('unknown-member')
  })

  test('several leave at once, by either id; who waits is told', async () => {
    const { t, client } = await open()
    const [a, b, s] = [client('a'), client('b'), client('s', { instanceId: 'i1' })]
    await stable(t, a, b, s)
    b.join({ protocols: [['range', 'b2']] })
    const leaving = [
      { memberId: '', instanceId: 'i1' },
      { memberId: b.memberId },
      { memberId: 'x' },
      { memberId: '', instanceId: 'i2' },
    ]
    expect(t.broker.groups.leave('g', leaving)).toEqual([undefined, undefined, 'unknown-member', 'unknown-member'])
    expect(b.joined).toEqual({ problem: 'unknown-member', memberId: '' })
    a.join()
    expect(a.members).toEqual(['a'])
    expect(t.broker.groups.leave('other', [{ memberId: 'x' }])).toEqual(['unknown-member'])
  })
})

describe('a session', () => {
  test('ends without heartbeats, and the others share what is left', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a'), client('b')]
    await stable(t, a, b)
    await t.advance(9_999)
    expect(a.heartbeat()).toBeUndefined()
    await t.advance(1)
    expect(a.heartbeat()).toBe('rebalancing')
    expect(b.heartbeat()).toBe('unknown-member')
    a.join()
    expect(a.members).toEqual(['a'])
  })

  test('lasts as long as a member waits for an answer', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a', { rebalanceTimeoutMs: 200_000, sessionTimeoutMs: 300_000 }), client('b')]
    await stable(t, a, b)
    b.join({ protocols: [['range', 'b2']] })
    await t.advance(100_000)
    expect(b.joined).toBeUndefined()
    a.join()
    expect([a.generation, b.generation]).toEqual([2, 2])
    b.sync()
    await t.advance(100_000)
    a.sync({ [b.memberId]: '1' })
    expect(b.assignment).toBe('1')
    await t.advance(10_000)
    expect(b.heartbeat()).toBe('unknown-member')
  })

  test('of a new member that nobody answers does not last for ever', async () => {
    const { t, client } = await open()
    const [a, b] = [client('a', { rebalanceTimeoutMs: 3_600_000, sessionTimeoutMs: 1_800_000 }), client('b')]
    await stable(t, a)
    b.join()
    await t.advance(299_999)
    expect(b.joined).toBeUndefined()
    await t.advance(1)
    expect(b.joined).toEqual({ problem: 'unknown-member', memberId: '' })
  })
})

describe('a static member', () => {
  test('takes its old place without a rebalance, and fences its old self', async () => {
    const { t, client } = await open()
    const [a, s] = [client('a'), client('s', { instanceId: 'i' })]
    await stable(t, a, s)
    const back = client('s', { instanceId: 'i' }).join()
    expect(back.joined).toMatchObject({ generation: 1, leader: a.memberId, members: [], skipAssignment: false })
    expect(back.memberId).not.toBe(s.memberId)
    expect(back.sync().assignment).toBe('for s')
    expect(a.heartbeat()).toBeUndefined()
    expect(s.heartbeat()).toBe('fenced-instance')
    expect(s.join().joined).toMatchObject({ problem: 'fenced-instance' })
    expect(s.sync().synced).toEqual({ problem: 'fenced-instance' })
    const { memberId } = s
    expect(t.broker.groups.leave('g', [{ memberId, instanceId: 'i' }])).toEqual(['fenced-instance'])
    expect(t.broker.groups.commitOffsets('g', [], { memberId, instanceId: 'i', generation: 1 })).toBe('fenced-instance')
    expect(back.heartbeat()).toBeUndefined()
  })

  test('that leads and comes back does not assign again', async () => {
    const { t, client } = await open()
    const [s, b] = [client('s', { instanceId: 'i' }), client('b')]
    await stable(t, s, b)
    const old = s.memberId
    const unaware = client('s', { instanceId: 'i' }).join()
    expect(unaware).toMatchObject({ generation: 1, isLeader: false, members: [], joined: { leader: old, skipAssignment: false } })
    const back = client('s', { instanceId: 'i', canSkipAssignment: true }).join()
    expect(back).toMatchObject({ generation: 1, isLeader: true, members: ['b', 's'], joined: { skipAssignment: true } })
    expect(back.sync().assignment).toBe('for s')
  })

  test('that comes back with other protocols changes the choice, and so needs a rebalance', async () => {
    const { t, client } = await open()
    const protocols = [['range', ''], ['sticky', '']] as const // prettier-ignore
    const [a, s] = [client('a', { protocols }), client('s', { instanceId: 'i', protocols })]
    await stable(t, a, s)
    const back = client('s', { instanceId: 'i', protocols: [['sticky', 's']] }).join()
    expect(back.joined).toBeUndefined()
    a.join()
    expect(back.joined).toMatchObject({ generation: 2, protocol: 'sticky' })
  })

  test('that waits is overtaken by its new self', async () => {
    const { t, client } = await open()
    const [a, s] = [client('a'), client('s', { instanceId: 'i' })]
    await stable(t, a, s)
    s.join({ protocols: [['range', 's2']] })
    const back = client('s', { instanceId: 'i' }).join()
    expect(s.joined).toMatchObject({ problem: 'fenced-instance' })
    a.join()
    expect([a.generation, back.generation]).toEqual([2, 2])
    back.sync()
    const again = client('s', { instanceId: 'i' }).join()
    expect(back.synced).toEqual({ problem: 'fenced-instance' })
    expect(again.joined).toBeUndefined()
  })

  test('stays through a rebalance that it misses, until its session ends', async () => {
    const { t, client } = await open()
    const [a, s] = [client('a', { sessionTimeoutMs: 60_000 }), client('s', { instanceId: 'i', sessionTimeoutMs: 60_000 })]
    await stable(t, a, s)
    a.join()
    await t.advance(30_000)
    expect(a).toMatchObject({ generation: 2, members: ['a', 's'] })
    a.sync()
    for (let n = 0; n < 4; n++) {
      await t.advance(10_000)
      a.heartbeat()
    }
    expect(t.broker.groups.describe('g')!.members).toHaveLength(1)
  })
})

test('deleting needs an empty group', async () => {
  const { t, client } = await open()
  const { groups } = t.broker
  expect(groups.deleteGroup('g')).toBe('not-found')
  const a = client('a')
  await stable(t, a)
  expect(groups.list()).toEqual([{ name: 'g', type: 'classic', state: 'stable', protocolType: 'consumer', members: 1 }])
  expect(groups.deleteGroup('g')).toBe('not-empty')
  a.leave()
  expect(groups.deleteGroup('g')).toBeUndefined()
  expect(groups.list()).toEqual([])
})

test('groups that nobody uses are forgotten', async () => {
  const { t, client } = await open()
  const a = client('a')
  await stable(t, a)
  a.leave()
  expect(t.broker.groups.describe('g')).toBeDefined()
  await t.advance(20 * 60_000)
  expect(t.broker.groups.describe('g')).toBeUndefined()
})

test('when the broker closes, everybody who waits is told', async () => {
  const { t } = await open()
  const a = new GroupClient({ broker: t.broker }, 'a').join()
  await t.restart()
  expect(a.joined?.problem).toBe('unavailable')
  expect(a.join().joined?.problem).toBe('unavailable')
  expect(a.heartbeat()).toBe('unavailable')
})
