import { beforeEach, describe, expect, test } from 'vitest'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { openSecureKafkaBroker, type SecureKafkaBroker } from '../../../../test/kafka/secure-kafka-broker.ts'
import type { Peer } from '../../session.ts'
import { errors } from '../errors.ts'
import { limits } from '../limits.ts'
import { apiVersions, metadata } from '../messages/cluster.ts'
import { saslAuthenticate, saslHandshake } from '../messages/security.ts'

const far: Peer = { address: '10.0.0.7:5', transport: 'tcp', secure: false }
const versionsRequest = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
const plain = (user: string, password: string): Uint8Array => new Uint8Array(Buffer.from(`\0${user}\0${password}`))
const bare = (bytes: Uint8Array): Uint8Array => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length)
  return new Uint8Array(Buffer.concat([length, bytes]))
}

let open: SecureKafkaBroker

beforeEach(async () => {
  open = await openSecureKafkaBroker([{ name: 'ann', password: 'secret', rules: ['allow describe topic:*'] }])
  open.broker.core.broker.createTopic({ name: 't' })
  await open.broker.core.settle()
})

async function logIn(peer: KafkaPeer, password = 'secret'): Promise<{ errorCode: number; errorMessage: string | null }> {
  await peer.ask(saslHandshake, 1, { mechanism: 'PLAIN' })
  peer.send(saslAuthenticate, 1, { authBytes: plain('ann', password) })
  await open.broker.core.advance(limits.failedLoginDelayMs)
  return peer.take(saslAuthenticate, 1)
}

async function topicsOf(peer: KafkaPeer): Promise<(string | null)[]> {
  const { topics } = await peer.ask(metadata, 9, { topics: null })
  return topics.map(({ name }) => name)
}

async function isClosedAfter(peer: KafkaPeer, send: () => void): Promise<boolean> {
  send()
  await open.broker.core.settle()
  expect(peer.waiting).toEqual([])
  return peer.closed
}

describe('before a login', () => {
  test('versions are told, as often as a client likes', async () => {
    const peer = open.broker.connect()
    for (let n = 0; n < 2; n++) {
      const { apiKeys } = await peer.ask(apiVersions, 3, versionsRequest)
      expect(apiKeys.map(({ apiKey }) => apiKey)).toEqual(expect.arrayContaining([17, 36]))
    }
    expect(peer.closed).toBe(false)
  })

  test('anything else ends the connection', async () => {
    const peer = open.broker.connect()
    expect(await isClosedAfter(peer, () => peer.send(metadata, 9, { topics: null }))).toBe(true)
    const early = open.broker.connect()
    expect(await isClosedAfter(early, () => early.send(saslAuthenticate, 1, { authBytes: plain('ann', 'secret') }))).toBe(true)
  })

  test('no request is large', async () => {
    const peer = open.broker.connect()
    peer.raw(Uint8Array.of(0, 1, 0, 1))
    expect(peer.closed).toBe(true)
  })

  test('there is not much time', async () => {
    const peer = open.broker.connect()
    peer.session.tick(limits.loginDeadlineMs - 1)
    expect(peer.closed).toBe(false)
    peer.session.tick(open.broker.core.platform.clock.monotonicMs() + limits.loginDeadlineMs)
    expect(peer.closed).toBe(true)
  })

  test('who needs none is served', async () => {
    open.users.create({ name: 'anonymous', rules: ['allow describe topic:t'] })
    const peer = open.broker.connect()
    expect(await topicsOf(peer)).toEqual(['t'])
    const { errorCode } = await peer.ask(saslHandshake, 1, { mechanism: 'PLAIN' })
    expect(errorCode).toBe(errors.ILLEGAL_SASL_STATE)
    expect(peer.closed).toBe(false)
    open.users.delete('anonymous')
    expect(await isClosedAfter(peer, () => peer.send(metadata, 9, { topics: null }))).toBe(true)
  })

  test('who has a certificate is its user', async () => {
    const peer = open.broker.connect({ ...far, secure: true, certificateName: 'ann' })
    expect(await topicsOf(peer)).toEqual(['t'])
  })
})

describe('a login', () => {
  test('with PLAIN', async () => {
    const peer = open.broker.connect()
    expect(await logIn(peer)).toMatchObject({ errorCode: errors.NONE, sessionLifetimeMs: 0 })
    expect(await topicsOf(peer)).toEqual(['t'])
  })

  test('in the old form, without requests around its messages', async () => {
    const peer = open.broker.connect()
    expect((await peer.ask(saslHandshake, 0, { mechanism: 'PLAIN' })).errorCode).toBe(errors.NONE)
    peer.raw(bare(plain('ann', 'secret')))
    await open.broker.core.settle()
    expect(peer.takeBytes()).toEqual(new Uint8Array())
    expect(await topicsOf(peer)).toEqual(['t'])

    const other = open.broker.connect()
    await other.ask(saslHandshake, 0, { mechanism: 'PLAIN' })
    expect(await isClosedAfter(other, () => other.raw(bare(plain('ann', 'wrong'))))).toBe(true)
  })

  test('with another mechanism is told those that there are, and ends', async () => {
    const peer = open.broker.connect(far)
    const { errorCode, mechanisms } = await peer.ask(saslHandshake, 1, { mechanism: 'PLAIN' })
    expect([errorCode, mechanisms]).toEqual([errors.UNSUPPORTED_SASL_MECHANISM, ['SCRAM-SHA-512', 'SCRAM-SHA-256']])
    expect(peer.closed).toBe(true)
  })

  test('with a wrong password is told so after a moment, and ends', async () => {
    const peer = open.broker.connect()
    await peer.ask(saslHandshake, 1, { mechanism: 'PLAIN' })
    peer.send(saslAuthenticate, 2, { authBytes: plain('ann', 'wrong') })
    peer.send(metadata, 9, { topics: null })
    await open.broker.core.advance(limits.failedLoginDelayMs - 1)
    expect([peer.waiting, peer.closed]).toEqual([[], false])
    await open.broker.core.advance(1)
    const { errorCode, errorMessage } = peer.take(saslAuthenticate, 2)
    expect([errorCode, errorMessage]).toEqual([errors.SASL_AUTHENTICATION_FAILED, expect.stringMatching(/not right/)])
    expect([peer.waiting, peer.closed]).toEqual([[], true])
  })

  test('is not interrupted', async () => {
    const peer = open.broker.connect()
    await peer.ask(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' })
    expect((await peer.ask(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' })).errorCode).toBe(errors.ILLEGAL_SASL_STATE)
    expect(peer.closed).toBe(true)
    const other = open.broker.connect()
    await other.ask(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' })
    expect(await isClosedAfter(other, () => other.send(metadata, 9, { topics: null }))).toBe(true)
  })

  test('happens once', async () => {
    const peer = open.broker.connect()
    await logIn(peer)
    expect((await peer.ask(saslHandshake, 1, { mechanism: 'PLAIN' })).errorCode).toBe(errors.ILLEGAL_SASL_STATE)
    expect((await peer.ask(saslAuthenticate, 1, { authBytes: plain('ann', 'secret') })).errorCode).toBe(errors.ILLEGAL_SASL_STATE)
    expect(peer.closed).toBe(false)
  })

  test('counts until the user is gone', async () => {
    const [busy, idle] = [open.broker.connect(), open.broker.connect()]
    await logIn(busy)
    await logIn(idle)
    open.users.delete('ann')
    expect(await isClosedAfter(busy, () => busy.send(metadata, 9, { topics: null }))).toBe(true)
    idle.session.tick(1)
    expect(idle.closed).toBe(true)
  })

  test('is of no use where nobody has to log in', async () => {
    const without = await KafkaBroker.open()
    expect((await without.connect().ask(saslHandshake, 1, { mechanism: 'PLAIN' })).errorCode).toBe(errors.ILLEGAL_SASL_STATE)
  })
})

describe('a login that counts for some time', () => {
  const lifetimeMs = 5000
  let peer: KafkaPeer
  let told: unknown

  beforeEach(async () => {
    const settings = { sessionLifetimeMs: lifetimeMs }
    const users = [
      { name: 'ann', password: 'secret' },
      { name: 'bob', password: 'secret' },
    ]
    open = await openSecureKafkaBroker(users, { settings })
    peer = open.broker.connect()
    told = await logIn(peer)
  })

  const again = async (mechanism: string, user: string): Promise<number> => {
    await peer.ask(saslHandshake, 1, { mechanism })
    peer.send(saslAuthenticate, 2, { authBytes: plain(user, 'secret') })
    await open.broker.core.advance(limits.failedLoginDelayMs)
    return peer.take(saslAuthenticate, 2).errorCode
  }

  test('ends with what is asked after it', async () => {
    expect(told).toMatchObject({ sessionLifetimeMs: lifetimeMs })
    await open.broker.core.advance(lifetimeMs)
    expect(await isClosedAfter(peer, () => peer.send(metadata, 9, { topics: null }))).toBe(true)
  })

  test('is extended by another', async () => {
    await open.broker.core.advance(lifetimeMs - 1000)
    expect(await again('PLAIN', 'ann')).toBe(errors.NONE)
    await open.broker.core.advance(lifetimeMs - 1000)
    expect(await topicsOf(peer)).toEqual([])
  })

  test.each([
    ['another user', 'PLAIN', 'bob'],
    ['another mechanism', 'SCRAM-SHA-256', 'ann'],
  ])('is not extended for %s', async (_, mechanism, user) => {
    expect(await again(mechanism, user)).toBe(errors.SASL_AUTHENTICATION_FAILED)
    expect(peer.closed).toBe(true)
  })
})
