import { pbkdf2Sync } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { openSecureKafkaBroker, type SecureKafkaBroker } from '../../../../test/kafka/secure-kafka-broker.ts'
import type { Peer } from '../../session.ts'
import { errors } from '../errors.ts'
import { metadata } from '../messages/cluster.ts'
import {
  alterUserScramCredentials,
  createAcls,
  deleteAcls,
  describeAcls,
  describeUserScramCredentials,
  saslAuthenticate,
  saslHandshake,
} from '../messages/security.ts'

const inProcess: Peer = { address: 'test', transport: 'in-process', secure: true }
const anything = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
}
const readOrders = {
  resourceType: 2,
  resourceName: 'orders',
  resourcePatternType: 3,
  principal: 'User:ann',
  host: '*',
  operation: 3,
  permissionType: 3,
}

let open: SecureKafkaBroker
let root: KafkaPeer

async function loggedIn(user: string, password: string, from: Peer = inProcess): Promise<{ peer: KafkaPeer; errorCode: number }> {
  const peer = open.broker.connect(from)
  await peer.ask(saslHandshake, 1, { mechanism: 'PLAIN' })
  peer.send(saslAuthenticate, 2, { authBytes: new Uint8Array(Buffer.from(`\0${user}\0${password}`)) })
  await open.broker.core.advance(1000)
  return { peer, errorCode: peer.take(saslAuthenticate, 2).errorCode }
}

beforeEach(async () => {
  open = await openSecureKafkaBroker([{ name: 'ann', password: 'secret', rules: ['allow publish queue:q'] }])
  root = (await loggedIn('root', 'toor')).peer
})

const may = (user: string, action: 'read' | 'publish', topic: string): boolean => open.users.may(user, action, `topic:${topic}`)

const seesOrders = async (address: string): Promise<boolean> => {
  const from: Peer = { address: `${address}:5`, transport: 'tcp', secure: true }
  const { peer } = await loggedIn('ann', 'secret', from)
  return (await peer.ask(metadata, 9, { topics: null })).topics.some(({ name }) => name === 'orders')
}

describe('ACLs', () => {
  test('are rules of users', async () => {
    const { results } = await root.ask(createAcls, 3, {
      creations: [readOrders, { ...readOrders, resourcePatternType: 4, operation: 4 }],
    })
    expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0])
    expect(open.users.get('ann').rules).toEqual([
      'allow publish queue:q',
      'allow read topic:orders',
      'allow publish topic:orders*',
    ])

    const { resources } = await root.ask(describeAcls, 3, { ...anything, principalFilter: 'User:ann' })
    expect(resources).toEqual([
      {
        resourceType: 2,
        resourceName: 'orders',
        patternType: 3,
        acls: [{ principal: 'User:ann', host: '*', operation: 3, permissionType: 3 }],
      },
      {
        resourceType: 2,
        resourceName: 'orders',
        patternType: 4,
        acls: [{ principal: 'User:ann', host: '*', operation: 4, permissionType: 3 }],
      },
    ])
    const matching = async (name: string): Promise<number> =>
      (
        await root.ask(describeAcls, 3, {
          ...anything,
          resourceTypeFilter: 2,
          resourceNameFilter: name,
          patternTypeFilter: 2,
          principalFilter: 'User:ann',
        })
      ).resources.length
    expect([await matching('orders'), await matching('orders.eu'), await matching('other')]).toEqual([2, 1, 0])

    const { filterResults } = await root.ask(deleteAcls, 3, {
      filters: [{ ...anything, principalFilter: 'User:ann', operation: 3 }],
    })
    expect(filterResults[0]).toMatchObject({
      errorCode: 0,
      matchingAcls: [{ errorCode: 0, resourceName: 'orders', operation: 3 }],
    })
    expect(open.users.get('ann').rules).toEqual(['allow publish queue:q', 'allow publish topic:orders*'])
  })

  test('of everyone count for all users', async () => {
    await root.ask(createAcls, 3, {
      creations: [
        { ...readOrders, principal: 'User:*' },
        { ...readOrders, principal: 'User:new', resourceName: 'x' },
      ],
    })
    expect([
      may('ann', 'read', 'orders'),
      may('new', 'read', 'orders'),
      may('new', 'read', 'x'),
      may('ann', 'read', 'x'),
    ]).toEqual([true, true, true, false])
    const { resources } = await root.ask(describeAcls, 3, { ...anything, resourceNameFilter: 'orders' })
    expect(resources[0]!.acls[0]!.principal).toBe('User:*')
  })

  test('for a host are rules that count for it alone', async () => {
    const deny = { ...readOrders, host: '10.1.0.0/16', permissionType: 2 }
    const { results } = await root.ask(createAcls, 3, { creations: [{ ...readOrders, host: '10.0.0.0/8' }, deny] })
    expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0])
    expect(open.users.get('ann').rules.slice(1)).toEqual([
      'allow read topic:orders from 10.0.0.0/8',
      'deny read topic:orders from 10.1.0.0/16',
    ])
    open.broker.core.broker.createTopic({ name: 'orders' })
    expect([await seesOrders('10.0.0.7'), await seesOrders('10.1.0.7'), await seesOrders('11.0.0.7')]).toEqual([
      true,
      false,
      false,
    ])

    const about = { ...anything, principalFilter: 'User:ann', resourceTypeFilter: 2 }
    const { resources } = await root.ask(describeAcls, 3, { ...about, hostFilter: '10.0.0.0/8' })
    expect(resources.map(({ acls }) => acls.map(({ host }) => host))).toEqual([['10.0.0.0/8']])
    expect((await root.ask(describeAcls, 3, { ...about, hostFilter: '*' })).resources).toEqual([])
    const { filterResults } = await root.ask(deleteAcls, 3, { filters: [{ ...about, hostFilter: '10.1.0.0/16' }] })
    expect(filterResults[0]!.matchingAcls).toMatchObject([{ host: '10.1.0.0/16', permissionType: 2 }])
    expect([await seesOrders('10.0.0.7'), await seesOrders('10.1.0.7'), await seesOrders('11.0.0.7')]).toEqual([
      true,
      true,
      false,
    ])
  })

  test('that no rule says are refused, and the others made', async () => {
    const creations = [
      { ...readOrders, host: 'shop.example' },
      { ...readOrders, principal: 'Group:x' },
      { ...readOrders, operation: 9 },
      readOrders,
    ]
    const { results } = await root.ask(createAcls, 3, { creations })
    expect(results.map(({ errorCode }) => errorCode)).toEqual([
      errors.INVALID_REQUEST,
      errors.INVALID_REQUEST,
      errors.INVALID_REQUEST,
      0,
    ])
  })

  test('that are all that lets somebody administer stay', async () => {
    const { filterResults } = await root.ask(deleteAcls, 3, { filters: [anything] })
    const codes = filterResults[0]!.matchingAcls.map(({ principal, errorCode }) => [principal, errorCode])
    expect(codes).toEqual(Array.from({ length: 4 }, () => ['User:root', errors.POLICY_VIOLATION]))
    expect(open.users.get('root').rules).toEqual(['allow all **'])
  })

  test('are off on a broker without users', async () => {
    const peer = (await KafkaBroker.open()).connect()
    expect((await peer.ask(describeAcls, 3, anything)).errorCode).toBe(errors.SECURITY_DISABLED)
    expect((await peer.ask(createAcls, 3, { creations: [readOrders] })).results[0]!.errorCode).toBe(errors.SECURITY_DISABLED)
  })
})

const credential = (
  password: string,
  mechanism: 1 | 2,
  iterations = 4096,
): { mechanism: number; iterations: number; salt: Uint8Array; saltedPassword: Uint8Array } => {
  const salt = new Uint8Array(16).fill(7)
  const [length, hash] = mechanism === 1 ? [32, 'sha256'] : [64, 'sha512']
  return { mechanism, iterations, salt, saltedPassword: new Uint8Array(pbkdf2Sync(password, salt, iterations, length, hash)) }
}
const alter = async (change: {
  deletions?: { name: string; mechanism: number }[]
  upsertions?: ({ name: string } & ReturnType<typeof credential>)[]
}): Promise<number[]> =>
  (await root.ask(alterUserScramCredentials, 0, { deletions: [], upsertions: [], ...change })).results.map(
    ({ errorCode }) => errorCode,
  )

describe('SCRAM credentials', () => {
  test('are what users log in with', async () => {
    expect(await alter({ upsertions: [{ name: 'bob', ...credential('one', 2) }] })).toEqual([0])
    expect((await loggedIn('bob', 'one')).errorCode).toBe(0)
    const { results } = await root.ask(describeUserScramCredentials, 0, {
      users: [{ name: 'bob' }, { name: 'ann' }, { name: 'eve' }],
    })
    expect(results.map(({ user, errorCode, credentialInfos }) => [user, errorCode, credentialInfos])).toEqual([
      ['bob', 0, [{ mechanism: 2, iterations: 4096 }]],
      [
        'ann',
        0,
        [
          { mechanism: 1, iterations: 10_000 },
          { mechanism: 2, iterations: 10_000 },
        ],
      ],
      ['eve', errors.RESOURCE_NOT_FOUND, []],
    ])
    expect(await alter({ deletions: [{ name: 'bob', mechanism: 2 }] })).toEqual([0])
    expect((await loggedIn('bob', 'one')).errorCode).toBe(errors.SASL_AUTHENTICATION_FAILED)
    const { results: all } = await root.ask(describeUserScramCredentials, 0, { users: null })
    expect(all.map(({ user }) => user)).toEqual(['root', 'ann'])
  })

  test('replace each other by mechanism', async () => {
    expect(
      await alter({ upsertions: [{ name: 'ann', ...credential('new', 1) }], deletions: [{ name: 'ann', mechanism: 2 }] }),
    ).toEqual([0])
    expect((await loggedIn('ann', 'secret')).errorCode).toBe(errors.SASL_AUTHENTICATION_FAILED)
    expect((await loggedIn('ann', 'new')).errorCode).toBe(0)
    expect(open.users.get('ann').rules).toEqual(['allow publish queue:q'])
  })

  test.each([
    ['few iterations', { upsertions: [{ name: 'bob', ...credential('x', 1, 4095) }] }, errors.UNACCEPTABLE_CREDENTIAL],
    ['a name that is none', { upsertions: [{ name: 'a b', ...credential('x', 1) }] }, errors.UNACCEPTABLE_CREDENTIAL],
    [
      'another mechanism',
      { upsertions: [{ name: 'bob', ...credential('x', 1), mechanism: 3 }] },
      errors.UNSUPPORTED_SASL_MECHANISM,
    ],
    [
      'one mechanism twice',
      { upsertions: [1, 1].map(() => ({ name: 'bob', ...credential('x', 1) })) },
      errors.DUPLICATE_RESOURCE,
    ],
    ['nothing to take away', { deletions: [{ name: 'bob', mechanism: 1 }] }, errors.RESOURCE_NOT_FOUND],
    ['the last administrator', { deletions: [1, 2].map((mechanism) => ({ name: 'root', mechanism })) }, errors.POLICY_VIOLATION],
  ])('with %s are refused', async (_, change, code) => {
    expect(await alter(change)).toEqual([code])
    expect(open.users.list().map(({ name, password }) => [name, password])).toEqual([
      ['root', true],
      ['ann', true],
    ])
  })

  test('are not taken over connections that others can read', async () => {
    const far: Peer = { address: '10.0.0.7:5', transport: 'tcp', secure: false }
    open.users.create({ name: 'anonymous', rules: ['allow administer broker'] })
    root = open.broker.connect(far)
    expect(await alter({ upsertions: [{ name: 'bob', ...credential('x', 1) }] })).toEqual([errors.UNACCEPTABLE_CREDENTIAL])
  })
})
