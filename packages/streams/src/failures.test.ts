import { queue, topic } from '@millrace/client'
import { type StreamError, streams, type Streams, type StreamsOptions, tumbling } from '@millrace/streams'
import { testBroker, type TestBroker } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { z } from 'zod'
import { anything } from '../test/anything.ts'

const numbers = topic('numbers', { schema: z.number() })
const results = queue('results', { schema: z.unknown() })

let broker: TestBroker

beforeEach(async () => {
  broker = await testBroker()
})

afterEach(async () => {
  await broker.close()
})

/** Sums all numbers; one operator refuses 13, after the state was changed. */
function summing(options: StreamsOptions = {}): Streams {
  const app = streams(broker.client, 'sums', options)
  app
    .from(numbers)
    .byKey()
    .aggregate('sum', { initial: () => 0, add: (sum, number) => sum + number })
    .changes()
    .peek(({ value }) => {
      if (value! % 100 === 13) throw new RangeError('13 is unlucky')
    })
    .map(({ value }) => value)
    .to(results)
  return app
}

async function publish(...list: readonly unknown[]): Promise<void> {
  await broker.client.topic('numbers').publishBatch(list.map((body) => ({ body: body as number, key: 'k' })))
  await broker.clock.settle()
}

describe('a function that throws', () => {
  it('stops the application before the record, and names it', async () => {
    const app = summing()
    await app.start()
    await publish(1, 2, 10, 4)
    const error: StreamError = await app.done.then(
      () => expect.unreachable(),
      (reason: StreamError) => reason,
    )
    expect(error.message).toBe('sums: peek-2 failed at topic:numbers partition 0 offset 2: 13 is unlucky')
    expect(error).toMatchObject({
      name: 'StreamError',
      application: 'sums',
      operator: 'peek-2',
      place: { topic: 'numbers', partition: 0, offset: 2 },
      cause: expect.any(RangeError),
    })
    // What came before it is done, it is not.
    expect(broker.published(results).json()).toEqual([1, 3])
    expect(app.info()).toMatchObject({ state: 'failed', processed: 2, failure: error.message })
    const again = summing({ onFailure: 'skip' })
    await again.start()
    await again.caughtUp()
    await broker.clock.settle()
    expect(broker.published(results).json()).toEqual([1, 3, 7])
    await again.stop()
  })

  it('has the record left out, with all of its effects, where told so', async () => {
    const skipped: string[] = []
    const app = summing({ onFailure: 'skip', onSkip: (error) => skipped.push(error.message) })
    await app.start()
    await publish(1, 12, 2)
    expect(broker.published(results).json()).toEqual([1, 3])
    expect(skipped).toEqual(['sums: peek-2 failed at topic:numbers partition 0 offset 1: 13 is unlucky'])
    expect(app.info()).toMatchObject({ processed: 3, skipped: 1, deadLettered: 0, lastSkip: skipped[0] })
    await app.stop()
  })

  it('sends the message to the dead letters, where told so, in the same commit', async () => {
    const app = summing({ onFailure: { deadLetter: 'queue:dead' } })
    await app.start()
    await publish(1, 12, 2)
    expect(broker.published(results).json()).toEqual([1, 3])
    expect(broker.published('queue:dead').last).toMatchObject({
      key: 'k',
      headers: {
        'content-type': 'application/json',
        'millrace-dead-reason': 'rejected',
        'millrace-dead-source': 'topic:numbers/sums',
        'millrace-dead-offset': '1',
        'millrace-dead-error': 'sums: peek-2 failed at topic:numbers partition 0 offset 1: 13 is unlucky',
      },
    })
    expect(broker.published('queue:dead').texts()).toEqual(['12'])
    expect(app.info()).toMatchObject({ processed: 3, skipped: 0, deadLettered: 1 })
    await app.stop()
  })

  it('at the result of a window loses that result, not the record that closed it', async () => {
    const app = streams(broker.client, 'sums', { onFailure: 'skip' })
    const counts = app
      .from(numbers, { timestamp: (number) => number })
      .byKey()
      .window(tumbling(10))
      .count('count')
    counts
      .final()
      .map(({ window, value }) => {
        if (window.startMs === 10) throw new Error('no')
        return [window.startMs, value]
      })
      .to(results)
    await app.start()
    await publish(1, 2, 11, 21, 22, 31)
    expect(broker.published(results).json()).toEqual([[0, 2], [20, 2]]) // prettier-ignore
    expect(app.info()).toMatchObject({ processed: 6, skipped: 1 })
    expect(app.info().lastSkip).toBe('sums: map-2 failed at the result for key "k": no')
    await app.stop()
  })
})

test('topics of virtual hosts whose names need encoding are read, written to and named like others', async () => {
  const { client, clock } = broker
  const from = topic('eu/west 50%::numbers', { schema: z.number(), partitions: 2 })
  const to = topic('eu/west 50%::sums', { schema: z.number(), partitions: 5 })
  const deadLetter = 'topic:eu%2Fwest 50%25::dead'
  const app = streams(client, 'sums', { onFailure: { deadLetter } })
  app
    .from(from)
    .byKey()
    .reduce('sum', (sum, number) => {
      if (number === 13) throw new RangeError('13 is unlucky')
      return sum + number
    })
    .changes()
    .map(({ value }) => value!)
    .to(to)
  await app.start()
  for (const [key, number] of [['a', 1], ['b', 2], ['a', 3], ['b', 13], ['b', 4]] as const) await client.use(from).publish(number, { key }) // prettier-ignore
  await clock.settle()
  await app.caughtUp()
  await clock.settle()
  const sums = new Set(broker.published(to).json())
  expect(sums).toEqual(new Set([1, 4, 2, 6]))
  expect(broker.published(deadLetter).last).toMatchObject({
    key: 'b',
    headers: { 'millrace-dead-source': 'topic:eu%2Fwest 50%25::numbers/sums' },
  })
  expect((await client.admin.topics()).map(({ name }) => name)).toContain('eu/west 50%::dead')
  await app.stop()
})

describe('a message that cannot be read', () => {
  it('stops the application, with its place', async () => {
    const app = summing()
    await app.start()
    await publish(1, 'two', 3)
    await expect(app.done).rejects.toThrow(
      'sums: topic:numbers partition 0 offset 1 cannot be read: topic:numbers: this message does not fit the schema: ',
    )
    expect(broker.published(results).json()).toEqual([1])
  })

  it('is left out, or goes to the dead letters, in its place', async () => {
    const app = summing({ onFailure: { deadLetter: 'topic:dead' } })
    await app.start()
    await broker.client.topic('numbers').publish(new Uint8Array([0xff]), { key: 'k', headers: { 'content-type': 'no/such' } })
    await broker.client.topic('numbers').publish(5, { key: new Uint8Array([0xff]) })
    await publish(7)
    expect(broker.published(results).json()).toEqual([7])
    expect(app.info()).toMatchObject({ processed: 3, deadLettered: 2 })
    expect(broker.published('topic:dead').count).toBe(2)
    await app.stop()
  })
})

describe('a result that does not fit', () => {
  it('the schema of its target is a failure of the record', async () => {
    const strict = queue('strict', { schema: z.number().max(5) })
    const app = streams(broker.client, 'strict', { onFailure: 'skip' })
    app.from(numbers).to(strict)
    await app.start()
    await publish(5, 6, 4)
    expect(broker.published(strict).json()).toEqual([5, 4])
    expect(app.info().lastSkip).toMatch(/^strict: to-1 failed at topic:numbers partition 0 offset 1: queue:strict: this body/)
    await app.stop()
  })

  it('an asynchronous schema ends the application', async () => {
    const checked = queue('checked', {
      schema: z.number().refine((number) => Promise.resolve(number < 6)),
    })
    const app = streams(broker.client, 'strict', { onFailure: 'skip' })
    app.from(numbers).to(checked)
    await app.start()
    await publish(5)
    expect(broker.published(checked).json()).toEqual([5])
    await publish(4, 6)
    await expect(app.done).rejects.toThrow('strict: to-1 failed at topic:numbers partition 0 offset 2')
  })

  it('into one transaction makes batches smaller, and is a failure only when it is one record alone', async () => {
    const app = streams(broker.client, 'large', { onFailure: 'skip' })
    const large = queue('large', { schema: anything<string>() })
    app
      .from(numbers)
      .flatMap((number) => Array.from({ length: number }, () => 'x'.repeat(1_000_000)))
      .to(large)
    await broker.client.topic('numbers').publishBatch([{ body: 1 }, { body: 7 }, { body: 1 }, { body: 24 }, { body: 2 }])
    await app.start()
    await app.caughtUp()
    expect(app.info()).toMatchObject({ processed: 5, skipped: 1 })
    expect(app.info().lastSkip).toMatch(
      /^large: the results of topic:numbers partition 0 offset 3 cannot be committed: .*bytes; this broker takes at most/,
    )
    await app.stop()
    expect((await broker.client.admin.queue('large')).ready).toBe(11)
  })
})

describe('what the broker cannot take now', () => {
  it('waits, and is done once', async () => {
    const { client, clock } = broker
    await client.admin.createQueue({ name: 'results', limits: { messages: 2 } })
    const app = summing()
    await app.start()
    await publish(1)
    await publish(1)
    await publish(1)
    await clock.advance('1m')
    expect(broker.published(results).json()).toEqual([1, 2])
    const [first] = await client.queue('results').pull()
    await first!.ack()
    await clock.advance('1m')
    expect(broker.published(results).json()).toEqual([1, 2, 3])
    await app.stop()
  })

  it('for good ends the application', async () => {
    const app = summing()
    await app.start()
    await broker.client.admin.deleteQueue('sums.lane.0')
    await publish(1)
    await expect(app.done).rejects.toMatchObject({ code: 'not_found' })
    expect(app.info().state).toBe('failed')
  })
})

describe('records that retention took away', () => {
  it('stop the application, or are passed over', async () => {
    const { client, clock } = broker
    const short = topic('short', { schema: z.number(), retention: { ms: 60_000 } })
    const define = (options: StreamsOptions): Streams => {
      const app = streams(client, 'short', options)
      app.from(short).to(results)
      return app
    }
    const app = define({})
    await app.start()
    await client.use(short).publish(1)
    await clock.settle()
    await app.stop()
    await client.use(short).publish(2)
    await clock.advance('5m')
    await client.use(short).publish(3)
    await clock.settle()
    const failing = define({})
    await failing.start()
    await expect(failing.done).rejects.toThrow(
      'topic:short partition 0: the records from offset 1 to 1 were deleted by retention before they were read',
    )
    const going = define({ onLoss: 'continue' })
    await going.start()
    await clock.settle()
    expect(broker.published(results).json()).toEqual([1, 3])
    await going.stop()
  })
})
