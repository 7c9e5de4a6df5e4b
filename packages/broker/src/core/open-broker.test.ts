import { crc32c, encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../test/core/harness.ts'

describe('a queue', () => {
  test('delivers in order once committed, and forgets what is acked', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work', 10)
    t.publish('queue:work', 'a', 'b')
    t.publish('queue:work', 'c')
    expect(consumer.messages).toEqual([])
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1', 'c#1'])
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 3, consumers: 1 })
    consumer.ack(0, 2)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0, bytes: 0, counters: { published: 3, acked: 3 } })
    await t.crash()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0, counters: { published: 3, delivered: 3, acked: 3 } })
  })

  test('gives what a closed consumer held to another, at its place and counted', async () => {
    const t = await TestBroker.open()
    const first = t.consume('queue:work', 2)
    t.publish('queue:work', 'a', 'b', 'c')
    await t.settle()
    expect(first.taken()).toEqual(['a#1', 'b#1'])
    first.ack(0)
    first.consumer.close()
    const second = t.consume('queue:work')
    await t.settle()
    expect(second.taken()).toEqual(['b#2', 'c#1'])
  })

  test('redelivers what was in flight at a crash, flagged', async () => {
    const t = await TestBroker.open()
    t.publish('queue:work', 'a', 'b', 'c')
    const first = t.consume('queue:work', 3)
    await t.settle()
    expect(first.taken()).toEqual(['a#1', 'b#1', 'c#1'])
    first.ack(1)
    await t.settle()
    await t.crash()
    const second = t.consume('queue:work')
    await t.settle()
    expect(second.taken()).toEqual(['a#2', 'c#2'])
    await t.crash()
    const third = t.consume('queue:work')
    await t.settle()
    expect(third.taken()).toEqual(['a#3', 'c#3'])
  })

  test('does not count an orderly restart as a delivery of what was never handed out', async () => {
    const t = await TestBroker.open()
    t.publish('queue:work', 'a', 'b')
    const first = t.consume('queue:work', 1)
    await t.settle()
    expect(first.taken()).toEqual(['a#1'])
    await t.restart()
    expect(first.reason?.code).toBe('draining')
    const second = t.consume('queue:work')
    await t.settle()
    expect(second.taken()).toEqual(['a#2', 'b#1'])
  })

  test('needs one commit for a publish and one for its ack', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work')
    await t.settle()
    const before = t.store.stats.commits
    for (let n = 0; n < 100; n++) {
      t.publish('queue:work', 'x')
      await t.settle()
      consumer.ack(n)
      await t.settle()
    }
    expect(consumer.messages).toHaveLength(100)
    expect(t.store.stats.commits - before).toBe(200)
  })

  test('commits what nobody waits for with the next publish', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work')
    consumer.wait = () => {}
    t.publish('queue:work', 'x')
    await t.settle()
    const before = t.store.stats.commits
    for (let n = 0; n < 100; n++) {
      consumer.ack(n)
      await t.settle()
      t.publish('queue:work', 'x')
      await t.settle()
    }
    expect(consumer.messages).toHaveLength(101)
    expect(t.store.stats.commits - before).toBe(100)
  })

  test('commits what nobody waits for within 5 ms, and at once for somebody who asks', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work')
    consumer.wait = () => {}
    t.publish('queue:work', 'a', 'b', 'c')
    await t.settle()
    const before = t.store.stats.commits
    consumer.ack(0)
    await t.advance(4)
    expect(t.store.stats.commits - before).toBe(0)
    await t.advance(1)
    expect(t.store.stats.commits - before).toBe(1)
    consumer.ack(1)
    const ticket = t.broker.ticket()
    await t.settle()
    expect(t.broker.committedTicket).toBeGreaterThanOrEqual(ticket)
    await t.crash()
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.taken()).toEqual(['c#2'])
  })

  test('does not take messages that were published after a crash for delivered ones', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work')
    t.publish('queue:work', 'a')
    await t.settle()
    consumer.ack(0)
    await t.settle()
    for (let n = 0; n < 3; n++) {
      await t.crash()
      t.publish('queue:work', 'b')
      await t.settle()
    }
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.taken()).toEqual(['b#1', 'b#1', 'b#1'])
  })

  test('takes a nacked message back to its place, before what comes after it', async () => {
    const t = await TestBroker.open()
    t.publish('queue:work', 'a', 'b', 'c', 'd')
    const consumer = t.consume('queue:work', 2)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1'])
    consumer.nack(0)
    consumer.consumer.grant(2)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#2', 'c#1'])
    consumer.nack(0, 0, { uncounted: true })
    consumer.consumer.grant(1)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#2'])
  })

  test('waits with a nacked message as long as it was told, also over a restart', async () => {
    const t = await TestBroker.open()
    t.publish('queue:work', 'a', 'b')
    const consumer = t.consume('queue:work')
    await t.settle()
    consumer.nack(0, 0, { delayMs: 5000 })
    consumer.nack(1, 1, { delayMs: 60_000 })
    await t.settle()
    consumer.taken()
    await t.advance(4999)
    expect(consumer.taken()).toEqual([])
    expect(t.broker.queue('work')).toMatchObject({ ready: 2, inFlight: 0 })
    await t.advance(1)
    expect(consumer.taken()).toEqual(['a#2'])
    await t.crash()
    const later = t.consume('queue:work')
    await t.settle()
    expect(later.taken()).toEqual(['a#3'])
    await t.advance(54_999)
    expect(later.taken()).toEqual([])
    await t.advance(1)
    expect(later.taken()).toEqual(['b#2'])
  })

  test('gives a message to another consumer when its lease runs out, and refuses the late ack', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { leaseMs: 1000 } })
    const slow = t.consume('queue:work', 2)
    t.publish('queue:work', 'a', 'b')
    await t.settle()
    await t.advance(600)
    slow.consumer.extend(0, 1, 1)
    await t.advance(500)
    const other = t.consume('queue:work')
    await t.settle()
    expect(other.taken()).toEqual(['a#2'])
    slow.ack(1)
    expect(() => slow.ack(0)).toThrow(expect.objectContaining({ code: 'stale_delivery' }))
    expect(() => slow.consumer.settle(0, 0, 5, { kind: 'ack' })).toThrow(
      /6 of 6 messages at queue:work partition 0 offset 0..5 are not held/,
    )
    expect(() => slow.consumer.extend(0, 0, 0)).toThrow(expect.objectContaining({ code: 'stale_delivery' }))
    expect(() => other.consumer.settle(0, 0, 0, { kind: 'ack' }, 1)).toThrow(/as delivery 1/)
    other.consumer.settle(0, 0, 0, { kind: 'ack' }, 2)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 2, redelivered: 1 } })
  })

  test('counts a lease that was shortened from the next extension on', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { leaseMs: 60_000 } })
    t.publish('queue:work', 'a')
    const consumer = t.consume('queue:work')
    await t.settle()
    t.broker.updateQueue('work', { delivery: { leaseMs: 1000 } })
    consumer.consumer.extend(0, 0, 0)
    await t.advance(1100)
    expect(consumer.taken()).toEqual(['a#1', 'a#2'])
  })

  test('extends the delivery that is meant, not a later one to the same consumer', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { leaseMs: 1000 } })
    t.publish('queue:work', 'a', 'b', 'c')
    const consumer = t.consume('queue:work')
    await t.settle()
    await t.advance(600)
    consumer.consumer.extend(0, 0, 0, 1)
    consumer.consumer.extend(0, 2, 2, 1)
    await t.advance(600)
    expect(consumer.taken()).toEqual(['a#1', 'b#1', 'c#1', 'b#2'])
    expect(() => consumer.consumer.extend(0, 0, 2, 1)).toThrow(/1 of 3 messages .* as delivery 1/)
    await t.advance(900)
    expect(consumer.taken()).toEqual(['b#3'])
    expect(() => consumer.consumer.extend(0, 1, 1, 2)).toThrow(expect.objectContaining({ code: 'stale_delivery' }))
    consumer.ack(0, 2)
  })

  test('shares a batch out among its consumers', async () => {
    const t = await TestBroker.open()
    const consumers = [t.consume('queue:work'), t.consume('queue:work'), t.consume('queue:work', 1)]
    t.publish('queue:work', '0', '1', '2', '3', '4', '5', '6', '7', '8')
    await t.settle()
    expect(consumers.map((each) => each.values)).toEqual([['0', '1', '2', '7', '8'], ['3', '4', '5'], ['6']])
  })

  test('hands nobody more than the limit of unsettled messages', async () => {
    const t = await TestBroker.open({ limits: { inFlightPerConsumerMax: 3 } })
    const consumer = t.consume('queue:work')
    t.publish('queue:work', 'a', 'b', 'c', 'd', 'e')
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1', 'c#1'])
    consumer.ack(1)
    await t.settle()
    expect(consumer.taken()).toEqual(['d#1'])
  })

  test('sends its consumers and readers away when it is deleted', async () => {
    const t = await TestBroker.open()
    const destination = t.broker.destination('queue:work', true)
    const consumer = t.consume('queue:work')
    const reader = t.read('queue:work', 'earliest')
    t.publish('queue:work', 'a')
    await t.settle()
    t.broker.deleteQueue('work')
    expect(consumer.reason?.code).toBe('not_found')
    expect(reader.reason?.code).toBe('not_found')
    expect(() => destination.publish(0, encodeBatch([{ timestampMs: 1, value: null }]))).toThrow(/was deleted/)
    expect(() => t.broker.queue('work')).toThrow(expect.objectContaining({ code: 'not_found' }))
    await t.settle()
    t.publish('queue:work', 'b')
    await t.settle()
    await t.crash()
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.taken()).toEqual(['b#1'])
  })

  test('is browsed without a trace, settled messages left out', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work', 4)
    t.publish('queue:work', 'a', 'b', 'c')
    t.publish('queue:work', 'd', 'e')
    await t.settle()
    consumer.ack(1)
    consumer.ack(3)
    await t.settle()
    const reader = t.read('queue:work', 'earliest')
    expect(reader.taken()).toEqual(['a#0', 'c#0', 'e#0'])
    expect(reader.reader.atEnd).toBe(true)
    t.publish('queue:work', 'f')
    await t.settle()
    expect(reader.taken()).toEqual(['f#0'])
    expect(t.broker.queue('work')).toMatchObject({ ready: 2, inFlight: 2 })
  })
})

describe('dead letters', () => {
  test('take a message after its last attempt, with the reason', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { maxAttempts: 2, deadLetter: 'queue:dead' } })
    const consumer = t.consume('queue:work')
    t.publish('queue:work', 'a', 'b')
    await t.settle()
    consumer.nack(0)
    await t.settle()
    consumer.nack(0, 0, { error: 'no such file' })
    consumer.consumer.settle(0, 1, 1, { kind: 'reject', reason: 'not for me' })
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1', 'a#2'])
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0, counters: { deadLettered: 2 } })
    const dead = t.consume('queue:dead')
    await t.settle()
    expect(dead.values).toEqual(['a', 'b'])
    expect(headersOf(dead.messages[0]!.record)).toEqual({
      'millrace-dead-count': '1',
      'millrace-dead-reason': 'max-attempts',
      'millrace-dead-attempts': '2',
      'millrace-dead-source': 'queue:work',
      'millrace-dead-partition': '0',
      'millrace-dead-offset': '0',
      'millrace-dead-time': '1700000000000',
      'millrace-dead-timestamp': '1700000000000',
      'millrace-dead-error': 'no such file',
    })
    expect(headersOf(dead.messages[1]!.record)).toMatchObject({
      'millrace-dead-reason': 'rejected',
      'millrace-dead-error': 'not for me',
    })
  })

  test('without a target are dropped and counted', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { maxAttempts: 1, leaseMs: 100 } })
    const consumer = t.consume('queue:work')
    t.publish('queue:work', 'a')
    await t.settle()
    await t.advance(101)
    expect(consumer.taken()).toEqual(['a#1'])
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 0, deadLettered: 0 } })
  })

  test('whose target was deleted keep their messages in the queue, with a warning', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { maxAttempts: 1, deadLetter: 'topic:dead' } })
    t.broker.deleteTopic('dead')
    t.publish('queue:work', 'a')
    const consumer = t.consume('queue:work', 1)
    await t.settle()
    consumer.nack(0)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 1, inFlight: 0 })
    expect(t.warnings).toHaveLength(1)
    expect(t.warnings[0]).toMatch(/topic:dead does not exist/)
    t.broker.createTopic({ name: 'dead' })
    consumer.consumer.grant(1)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'a#2'])
    consumer.nack(0)
    await t.settle()
    expect(t.read('topic:dead', 'earliest').values).toEqual(['a'])
  })
})

describe('a topic', () => {
  test('is read from any place, and followed', async () => {
    const t = await TestBroker.open()
    t.publish('topic:log', 'a', 'b')
    await t.advance(1000)
    t.publish('topic:log', 'c')
    const earliest = t.read('topic:log', 'earliest')
    await t.settle()
    expect(earliest.values).toEqual(['a', 'b', 'c'])
    const latest = t.read('topic:log', 'latest')
    const offset = t.read('topic:log', { offset: 1 }, 0, 1)
    const timed = t.read('topic:log', { timestampMs: 1_700_000_000_500 })
    await t.settle()
    t.publish('topic:log', 'd')
    await t.settle()
    expect([latest.values, offset.values, timed.values]).toEqual([['d'], ['b'], ['c', 'd']])
    expect([latest.reader.atEnd, offset.reader.atEnd]).toEqual([true, false])
    expect(() => t.read('topic:log', { offset: 9 })).toThrow(/has the offsets 0\.\.3, and 4 is the next/)
  })

  test('tells its readers once that they have caught up', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'log' })
    await t.settle()
    const empty = t.read('topic:log', 'earliest', 0, 0)
    await t.settle()
    expect(empty.caughtUpAfter).toEqual([0])
    t.publish('topic:log', 'a', 'b', 'c')
    await t.settle()
    const early = t.read('topic:log', 'earliest', 0, 2)
    const late = t.read('topic:log', 'latest')
    await t.settle()
    const timed = t.read('topic:log', { timestampMs: t.platform.clock.nowMs() })
    await t.settle()
    t.publish('topic:log', 'd')
    await t.settle()
    expect([empty, early, late, timed].map((reader) => reader.caughtUpAfter)).toEqual([[0], [], [0], [3]])
    early.reader.grant(2)
    await t.settle()
    expect([early.values, early.caughtUpAfter]).toEqual([['a', 'b', 'c', 'd'], [4]])
    // Browsing a queue, one is at the end too when what was left is settled.
    t.publish('queue:work', 'x', 'y')
    await t.settle()
    const browser = t.read('queue:work', 'earliest', 0, 1)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(browser.caughtUpAfter).toEqual([])
    consumer.ack(1)
    t.publish('queue:work', 'z')
    await t.settle()
    consumer.ack(2)
    browser.reader.grant(1)
    await t.settle()
    expect([browser.values, browser.caughtUpAfter]).toEqual([['x'], [1]])
  })

  test('spreads batches without a partition, and keeps those of a key together as Kafka does', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'log', partitions: 3 })
    const destination = t.broker.destination('topic:log', false)
    expect(destination.partitionFor(new TextEncoder().encode('21'))).toBe((-973932308 & 0x7fffffff) % 3)
    expect(destination.partitionFor(null)).toBe(-1)
    for (let n = 0; n < 6; n++) t.publish('topic:log', String(n))
    await t.settle()
    expect(t.broker.topic('log').partitionInfo.map((each) => each.end)).toEqual([2, 2, 2])
    expect(() => t.publishKeyed('topic:log', 3, [[null, 'x']])).toThrow(/has the partitions 0..2, not 3/)
  })

  test('serves many subscriptions, each with its own state, also on partitions that are added', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'log', partitions: 1 })
    t.publish('topic:log', 'a', 'b')
    await t.settle()
    t.broker.createSubscription({ topic: 'log', name: 'all', from: 'earliest' })
    t.broker.createSubscription({ topic: 'log', name: 'new' })
    t.broker.createSubscription({ topic: 'log', name: 'second', from: { offset: 1 } })
    await t.advance(10)
    t.broker.createSubscription({ topic: 'log', name: 'timed', from: { timestampMs: t.platform.clock.nowMs() } })
    t.publish('topic:log', 'c')
    t.broker.updateTopic('log', { partitions: 2 })
    t.publishKeyed('topic:log', 1, [[null, 'd']])
    await t.settle()
    await t.crash()
    const values: (string | null)[][] = []
    for (const name of ['all', 'new', 'second', 'timed']) {
      const consumer = t.consume(`topic:log/${name}`)
      await t.settle()
      values.push(consumer.values)
    }
    expect(values.map((each) => each.toSorted((a, b) => (String(a) < String(b) ? -1 : 1)))).toEqual([
      ['a', 'b', 'c', 'd'],
      ['c', 'd'],
      ['b', 'c', 'd'],
      ['c', 'd'],
    ])
    expect(t.broker.subscription('log', 'all')).toMatchObject({ ready: 0, inFlight: 4, counters: { published: 4 } })
    expect(t.broker.topic('log')).toMatchObject({ partitions: 2, subscriptions: ['all', 'new', 'second', 'timed'] })
    t.broker.deleteTopic('log')
    await t.settle()
    expect(t.broker.subscriptions()).toEqual([])
    await t.crash()
    expect(t.broker.topics()).toEqual([])
  })
})

describe('definitions', () => {
  test('are created once, changed, and come back after a restart', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'log', partitions: 2, retention: { ms: 1000 } })
    t.broker.createTopic({ name: 'log', partitions: 2, retention: { ms: 1000 } })
    expect(() => t.broker.createTopic({ name: 'log' })).toThrow(expect.objectContaining({ code: 'already_exists' }))
    expect(() => t.broker.updateTopic('log', { partitions: 1 })).toThrow(/can only grow/)
    t.broker.updateTopic('log', { retention: { bytes: 5 } })
    t.broker.createQueue({ name: 'work', delivery: { leaseMs: 5 } })
    t.broker.updateQueue('work', { delivery: { maxAttempts: 7, deadLetter: 'queue:dead' } })
    t.broker.createSubscription({ topic: 'log', name: 'all', delivery: { leaseMs: 5 } })
    t.broker.updateSubscription('log', 'all', { delivery: { maxAttempts: 2 } })
    t.broker.updateSubscription('log', 'all', {})
    expect(() => t.broker.updateSubscription('log', 'all', { delivery: { deadLetter: 'topic:log' } })).toThrow(
      /where they come from/,
    )
    await t.restart()
    expect(t.broker.topic('log')).toMatchObject({ partitions: 2, retention: { bytes: 5 }, cleanup: 'delete' })
    expect(t.broker.subscription('log', 'all').delivery).toEqual({ leaseMs: 60_000, maxAttempts: 2 })
    expect(t.broker.queues().map((queue) => [queue.name, queue.delivery])).toEqual([
      ['work', { leaseMs: 60_000, maxAttempts: 7, deadLetter: 'queue:dead' }],
      ['dead', { leaseMs: 60_000 }],
    ])
  })

  test('are not all that is kept: the broker has the same id, whatever ends it', async () => {
    const t = await TestBroker.open({ limits: { stateLogBytesFloor: 500 } }, 7)
    const { id } = t.broker
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    await t.crash()
    expect(t.broker.id).toBe(id)
    // Enough that the state log was written anew.
    const consumer = t.consume('queue:work')
    for (let n = 0; n < 200; n++) {
      t.publish('queue:work', 'a')
      await t.settle()
      consumer.ack(n)
    }
    await t.restart()
    expect(t.broker.id).toBe(id)
    expect(t.store.bounds(t.store.logs()[0]!).start).toBeGreaterThan(100)
    expect((await TestBroker.open({}, 8)).broker.id).not.toBe(id)
  })

  test('are refused with an explanation', async () => {
    const t = await TestBroker.open({ autoCreate: { queues: false, topics: false }, limits: { queuesMax: 2, partitionsMax: 4 } })
    const { broker } = t
    expect(code(() => broker.createTopic({ name: 'a b' }))).toMatch(
      /^illegal_name: "a b" cannot be the name of a topic: use 1 to 249/,
    )
    expect(code(() => broker.createQueue({ name: '..' }))).toMatch(/^illegal_name/)
    expect(code(() => broker.createTopic({ name: 'x'.repeat(250) }))).toMatch(/^illegal_name/)
    expect(code(() => broker.createTopic({ name: 't', partitions: 0 }))).toMatch(/^bad_request/)
    expect(code(() => broker.createTopic({ name: 't', partitions: 5 }))).toMatch(/^limit_reached/)
    expect(code(() => broker.createTopic({ name: 't', retention: { days: 1 } as never }))).toMatch(
      /^bad_request: retention has no setting "days"/,
    )
    expect(code(() => broker.createQueue({ name: 'q', delivery: { deadLetter: 'queue:none' } }))).toMatch(
      /^not_found: queue:none/,
    )
    expect(code(() => broker.createQueue({ name: 'q', delivery: { deadLetter: 'queue:q' } }))).toMatch(/^bad_request/)
    expect(code(() => broker.createQueue({ name: 'q', delivery: { maxAttempts: 1.5 } }))).toMatch(/^bad_request/)
    expect(code(() => broker.destination('queue:none', true))).toMatch(/^not_found: .*millrace queue create none/)
    expect(code(() => broker.destination('none', true))).toMatch(/^bad_request: .*write queue:NAME/)
    expect(code(() => broker.destination('topic:a/b', true))).toMatch(/^bad_request: .*publish to topic:a/)
    broker.createQueue({ name: 'q1' })
    broker.createQueue({ name: 'q2' })
    expect(code(() => broker.createQueue({ name: 'q3' }))).toMatch(/^limit_reached/)
    const queue = broker.destination('queue:q1', false)
    const batch = encodeBatch([{ timestampMs: 1, value: new Uint8Array(10) }])
    const bad = batch.slice()
    bad[70]! ^= 1
    expect(code(() => queue.publish(0, bad))).toMatch(/^bad_batch: .*checksum/)
    const brokenRecord = batch.slice()
    brokenRecord[brokenRecord.length - 1] = 2
    new DataView(brokenRecord.buffer).setUint32(17, crc32c(brokenRecord.subarray(21)))
    expect(code(() => queue.publish(0, brokenRecord))).toMatch(/^bad_batch: .*header that leaves it/)
    expect(code(() => queue.publish(0, withGap()))).toMatch(/^bad_batch: .*1 records in 2 offsets/)
    expect(code(() => queue.publish(0, new Uint8Array(18 * 1024 * 1024)))).toMatch(/^record_too_large/)
    expect(code(() => broker.consume('topic:t', {}, { deliver: () => {}, closed: () => {} }))).toMatch(
      /^bad_request: .*topic:t\/SUBSCRIPTION/,
    )
    await t.platform.until(broker.close())
    expect(code(() => queue.publish(0, batch))).toMatch(/^draining/)
    expect(code(() => broker.createQueue({ name: 'q4' }))).toMatch(/^draining/)
  })
})

function code(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`
  }
  return 'fine'
}

/** A batch whose header claims one more offset than it has records. */
function withGap(): Uint8Array {
  const batch = encodeBatch([{ timestampMs: 1, value: null }]).slice()
  const view = new DataView(batch.buffer)
  view.setInt32(23, 1)
  view.setUint32(17, crc32c(batch.subarray(21)))
  return batch
}
