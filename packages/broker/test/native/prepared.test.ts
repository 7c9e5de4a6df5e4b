import type { Decision, Millrace, MillraceError, PreparedForCheck, PreparedProducer } from '@millrace/client'
import { testBroker, type TestBroker } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let broker: TestBroker
let client: Millrace

beforeEach(async () => {
  broker = await testBroker()
  client = broker.client
})

afterEach(() => broker.close())

/** A producer that asks `check`, and the questions that it was asked: `body to destination #attempt`. */
async function producing(
  check: (message: PreparedForCheck) => Decision,
): Promise<{ producer: PreparedProducer; asked: string[] }> {
  const asked: string[] = []
  const producer = await client.preparedProducer('orders', {
    firstCheckMs: 60_000,
    checkEveryMs: 30_000,
    checksMax: 3,
    check: (message) => {
      asked.push(`${message.text()} to ${message.destination} #${message.attempt}`)
      return check(message)
    },
  })
  return { producer, asked }
}

async function textsOf(queue: string): Promise<string[]> {
  return (await client.queue(queue).peek({ max: 100 })).map((message) => message.text())
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as MillraceError).code
  }
  return 'none'
}

describe('a prepared message', () => {
  it('is seen by nobody until it is committed, and then at once', async () => {
    const { producer, asked } = await producing(() => 'rollback')
    await client.admin.createQueue({ name: 'out' })
    const one = await producer.prepare('queue:out', { n: 1 }, { key: 'k', headers: { h: 'x' } })
    const two = await producer.prepare('queue:out', 'two')
    expect(await textsOf('out')).toEqual([])
    await one.commit()
    const [message] = await client.queue('out').peek()
    expect(message!.json()).toEqual({ n: 1 })
    expect(Object.keys(message!.headers).toSorted()).toEqual(['content-type', 'h', 'message-id'])
    expect(Buffer.from(message!.key!).toString()).toBe('k')
    await two.rollback()
    await broker.clock.advance('1h')
    expect(asked).toEqual([])
    expect(await textsOf('out')).toHaveLength(1)
    // Each is decided once.
    expect([await codeOf(one.rollback()), await codeOf(two.commit())]).toEqual(['stale_delivery', 'stale_delivery'])
    expect(await textsOf('out')).toHaveLength(1)
  })

  it('survives its producer: whoever is of the group is asked, and decides', async () => {
    const decisions: Decision[] = ['unknown', 'commit', 'rollback']
    const { producer, asked } = await producing(() => decisions.shift()!)
    await client.admin.createQueue({ name: 'out' })
    const late = await producer.prepare('queue:out', { n: 1 }, { key: 'k', headers: { h: 'x' } })
    await broker.clock.advance('59s')
    expect(asked).toEqual([])
    await broker.clock.advance('2s')
    expect(asked).toEqual(['{"n":1} to queue:out #1'])
    expect(await codeOf(late.commit())).toBe('stale_delivery')
    await broker.clock.advance('31s')
    expect(asked).toEqual(['{"n":1} to queue:out #1', '{"n":1} to queue:out #2'])
    const [message] = await client.queue('out').peek()
    expect(message!.json()).toEqual({ n: 1 })
    expect(Object.keys(message!.headers).toSorted()).toEqual(['content-type', 'h', 'message-id'])
    expect(Buffer.from(message!.key!).toString()).toBe('k')

    await producer.prepare('queue:out', 'two')
    await broker.clock.advance('61s')
    expect(asked).toHaveLength(3)
    expect(await textsOf('out')).toHaveLength(1)
    expect(await client.admin.queue('prepared-orders')).toMatchObject({ ready: 0, inFlight: 0 })
  })

  it('takes its own retry policy where it goes; while it is prepared that is not for it', async () => {
    const decisions: Decision[] = ['unknown', 'commit']
    const { producer, asked } = await producing(() => decisions.shift()!)
    const retry = { maxAttempts: 1 }
    const now = await producer.prepare('queue:out', 'now', { retry })
    await now.commit()
    await producer.prepare('queue:out', 'asked for', { retry })
    await broker.clock.advance('2m')
    expect(asked).toEqual(['asked for to queue:out #1', 'asked for to queue:out #2'])
    const messages = await client.queue('out').peek()
    expect(messages.map((message) => message.text())).toEqual(['now', 'asked for'])
    for (const { headers } of messages) {
      expect(Object.keys(headers)).toEqual(['message-id', 'millrace-retry'])
      expect(Buffer.from(headers['millrace-retry']!).toString()).toBe('{"maxAttempts":1}')
    }
    expect(await codeOf(producer.prepare('queue:out', 'x', { retry: { maxAttempts: 0 } }))).toBe('bad_request')
  })

  it('ends in the dead letters with the reason when nobody can decide', async () => {
    const { producer, asked } = await producing(() => {
      throw new Error('the database is down')
    })
    await producer.prepare('queue:out', 'x')
    await broker.clock.advance('10m')
    expect(asked).toHaveLength(3)
    const [dead] = await client.queue('prepared-orders-dead').peek()
    expect(dead!.text()).toBe('x')
    const headers = Object.fromEntries(
      Object.entries(dead!.headers).map(([name, value]) => [name, Buffer.from(value!).toString()]),
    )
    expect(headers).toMatchObject({
      'millrace-dead-reason': 'max-attempts',
      'millrace-dead-error': 'the check could not decide: the database is down',
      'millrace-prepared-for': 'queue:out',
    })
  })

  it('goes with what is done in between', async () => {
    const { producer, asked } = await producing(() => 'commit')
    await client.admin.createQueue({ name: 'out' })
    expect(await producer.send('queue:out', 'paid', () => 'commit')).toBe('commit')
    expect(await producer.send('queue:out', 'refused', () => Promise.resolve('rollback'))).toBe('rollback')
    expect(await producer.send('queue:out', 'who knows', () => 'unknown')).toBe('unknown')
    const failed = producer.send('queue:out', 'crashed', () => {
      throw new RangeError('crash')
    })
    await expect(failed).rejects.toThrow('crash')
    expect(await textsOf('out')).toEqual(['paid'])
    await broker.clock.advance('61s')
    expect(asked.toSorted()).toEqual(['crashed to queue:out #1', 'who knows to queue:out #1'])
    expect((await textsOf('out')).toSorted()).toEqual(['crashed', 'paid', 'who knows'])
    expect(await codeOf(producer.prepare('out', 'x'))).toBe('bad_request')
    await producer.close()
  })
})
