import { describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../test/amqp/amqp-peer.ts'
import { MillraceError } from '../../base/errors.ts'
import { openToAll, type Security } from '../security.ts'
import type { Peer, Principal } from '../session.ts'
import { encodeTable } from './codec/field-table.ts'

const withCertificate: Peer = { address: 'test', transport: 'in-process', secure: true, certificateName: 'robot' }
const plain: Peer = { address: 'test', transport: 'in-process', secure: true }

/** `ann` has a password, `robot` a certificate. */
const users: Security = {
  ...openToAll,
  mechanisms: () => ['PLAIN'],
  login: ({ user, ...secret }) => {
    if (user === 'ann' && 'password' in secret && secret.password === 'secret') return user
    throw new MillraceError('unauthorized', 'wrong user or password')
  },
  unnamed: ({ certificateName }) => {
    if (certificateName === 'robot') return certificateName
    throw new MillraceError('unauthorized', 'no user')
  },
  knows: (user) => user === 'ann' || user === 'robot',
}

async function logIn(
  mechanism: string,
  response: Uint8Array | string,
  from: Peer = plain,
): Promise<{ peer: AmqpPeer; offered: string; seen: Principal[] }> {
  const seen: Principal[] = []
  const broker = await AmqpBroker.open({ security: users, authorize: (principal) => void seen.push(principal) })
  const peer = broker.connect(from)
  peer.greet()
  await peer.settle()
  const offered = new TextDecoder().decode(peer.take('connection.start')['mechanisms'] as Uint8Array)
  const clientProperties = { capabilities: { authentication_failure_close: true } }
  peer.send(0, 'connection.start-ok', { clientProperties, mechanism, response, locale: 'en_US' })
  await peer.settle()
  return { peer, offered, seen }
}

async function openedAs({ peer, seen }: { peer: AmqpPeer; seen: Principal[] }): Promise<string | undefined> {
  peer.take('connection.tune')
  peer.send(0, 'connection.tune-ok', { channelMax: 10, frameMax: 131_072, heartbeat: 0 })
  await peer.call(0, 'connection.open', { virtualHost: '/' })
  return seen.at(-1)?.user
}

/** AMQPLAIN is a table without its length. */
const amqplain = (login: string, password: string): Uint8Array => encodeTable({ LOGIN: login, PASSWORD: password })

describe('a login', () => {
  test('by AMQPLAIN', async () => {
    expect(await openedAs(await logIn('AMQPLAIN', amqplain('ann', 'secret')))).toBe('ann')
  })

  test('by EXTERNAL is that of the certificate, and is offered to who has one', async () => {
    const login = await logIn('EXTERNAL', '', withCertificate)
    expect(login.offered).toBe('PLAIN AMQPLAIN EXTERNAL')
    expect(await openedAs(login)).toBe('robot')
    expect((await logIn('PLAIN', '\0ann\0secret')).offered).toBe('PLAIN AMQPLAIN')
  })

  test.each<[string, string, Uint8Array | string, Peer]>([
    ['with a wrong password', 'AMQPLAIN', amqplain('ann', 'guess'), plain],
    ['without a password', 'AMQPLAIN', encodeTable({ LOGIN: 'ann' }), plain],
    ['without a certificate', 'EXTERNAL', '', plain],
    ['with a certificate of nobody', 'EXTERNAL', '', { ...withCertificate, certificateName: 'eve' }],
    ['of half a PLAIN', 'PLAIN', '\0ann', plain],
    ['by what nobody knows', 'GUESS', '', plain],
  ])('%s is refused', async (_, mechanism, response, from) => {
    const { peer, seen } = await logIn(mechanism, response, from)
    expect(peer.take('connection.close')).toMatchObject({ replyCode: 403, classId: 10, methodId: 11 })
    expect([peer.closed, seen]).toEqual([true, []])
  })
})

async function beating(): Promise<{ peer: AmqpPeer; pass: (ms: number) => Promise<void> }> {
  const broker = await AmqpBroker.open()
  const peer = broker.connect()
  await peer.open({}, '/', 10)
  const { platform } = broker.core
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      await platform.advance(1000)
      peer.session.tick(platform.clock.monotonicMs())
      await peer.settle()
    }
  }
  return { peer, pass }
}

describe('heartbeats', () => {
  test('are sent when nothing else is', async () => {
    const { peer, pass } = await beating()
    // A third of the interval goes by between two of them, and time is looked at once a second.
    await pass(13_000)
    expect(peer.takeNames()).toEqual(['heartbeat', 'heartbeat', 'heartbeat'])
  })

  test('of the client that are missed twice end the connection, and no sooner', async () => {
    const { peer, pass } = await beating()
    await pass(15_000)
    peer.bytes(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0xce))
    await pass(20_000)
    expect(peer.closed).toBe(false)
    await pass(4000)
    expect(peer.closed).toBe(true)
  })
})
