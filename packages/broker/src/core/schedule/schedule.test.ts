import { batchMaxTimestampMs, encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { journalOver } from '../../../test/core/journal-over.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import { TestBroker, type TestOptions } from '../../../test/core/harness.ts'

const encoder = new TextEncoder()
const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR

class Scheduled {
  readonly test: TestBroker
  constructor(broker: TestBroker) {
    this.test = broker
  }

  static async open(options: TestOptions = {}): Promise<Scheduled> {
    return new Scheduled(await TestBroker.open(options))
  }

  get nowMs(): number {
    return this.test.platform.clock.nowMs()
  }

  batch(...values: string[]): Uint8Array {
    return encodeBatch(values.map((value) => ({ timestampMs: this.nowMs, value: encoder.encode(value) })))
  }

  later(delayMs: number, ...values: string[]): number {
    return this.test.broker.destination('queue:q', true).publishLater(-1, this.batch(...values), this.nowMs + delayMs)
  }

  get waiting(): number {
    return this.test.broker.queue('q').scheduled
  }
}

test('a message appears at its millisecond, whatever the horizon, also after a restart', async () => {
  const all = await Scheduled.open()
  const delays = [1, 999, 5 * SECOND, 70 * SECOND, 2 * HOUR, 3 * DAY, 40 * DAY, 400 * DAY]
  for (const delay of delays) all.later(delay, `after ${delay}`)
  await all.test.settle()
  expect(all.waiting).toBe(delays.length)
  await all.test.restart()
  expect(all.waiting).toBe(delays.length)
  let consumer = all.test.consume('queue:q')
  let passedMs = 0
  for (const delay of delays) {
    const leftMs = delay - passedMs
    const stepMs = Math.max(0, leftMs - 30 * SECOND)
    all.test.platform.stepWallClock(stepMs)
    await all.test.advance(leftMs - stepMs - 1)
    expect(consumer.values).toEqual([])
    await all.test.advance(1)
    expect(consumer.values).toEqual([`after ${delay}`])
    consumer.ack(consumer.messages[0]!.offset)
    passedMs = delay
    await all.test.settle()
    await all.test.crash()
    consumer = all.test.consume('queue:q')
  }
  expect(all.waiting).toBe(0)
})

test('what is due together leaves in the order of publishing, and by due time otherwise', async () => {
  const all = await Scheduled.open()
  all.later(90 * SECOND, 'b1')
  all.later(90 * SECOND + 1, 'c')
  all.later(90 * SECOND, 'b2', 'b3')
  all.later(89 * SECOND, 'a')
  await all.test.advance(80 * SECOND)
  all.later(10 * SECOND, 'b4')
  const consumer = all.test.consume('queue:q')
  await all.test.advance(20 * SECOND)
  expect(consumer.values).toEqual(['a', 'b1', 'b2', 'b3', 'b4', 'c'])
})

test('its timestamp is the time it was scheduled for', async () => {
  const all = await Scheduled.open()
  const dueMs = all.nowMs + 5000
  all.later(5000, 'x')
  const consumer = all.test.consume('queue:q')
  await all.test.advance(6000)
  expect(consumer.messages[0]!.record.timestampMs).toBe(dueMs)
  expect(batchMaxTimestampMs(consumer.deliveries[0]!.batch)).toBe(dueMs)
})

test('a time that has passed publishes at once; nonsense is refused', async () => {
  const all = await Scheduled.open()
  const consumer = all.test.consume('queue:q')
  expect(all.later(0, 'now')).toBe(0)
  expect(all.later(-DAY, 'past')).toBe(0)
  expect(all.test.broker.cancelScheduled(0)).toBe(false)
  await all.test.settle()
  expect(consumer.values).toEqual(['now', 'past'])
  for (const dueMs of [Number.NaN, Infinity, -1, all.nowMs + 101 * 365.25 * DAY]) {
    const refused = (): unknown => all.test.broker.destination('queue:q', true).publishLater(-1, all.batch('x'), dueMs)
    expect(refused).toThrow(expect.objectContaining({ code: 'bad_request' }))
  }
  expect(() => all.test.broker.destination('queue:q', true).publishLater(7, all.batch('x'), all.nowMs + 1000)).toThrow(
    'partitions 0..0',
  )
})

test('cancel answers whether it was still waiting, and takes single messages out of a batch', async () => {
  const all = await Scheduled.open()
  const { broker } = all.test
  const id = all.later(5000, 'a', 'b', 'c')
  expect(broker.scheduled(id + 1)).toBe('queue:q')
  expect(broker.cancelScheduled(id + 1)).toBe(true)
  expect(broker.cancelScheduled(id + 1)).toBe(false)
  expect(broker.scheduled(id + 1)).toBeUndefined()
  for (const nonsense of [id + 3, id + 0.5, -1, Number.NaN]) expect(broker.cancelScheduled(nonsense)).toBe(false)
  expect(all.waiting).toBe(2)
  await all.test.settle()
  await all.test.crash()
  expect(all.waiting).toBe(2)
  const consumer = all.test.consume('queue:q')
  await all.test.advance(5000)
  expect(consumer.values).toEqual(['a', 'c'])
  expect(all.test.broker.cancelScheduled(id)).toBe(false)
})

test('a cancel that is lost in a crash did not happen', async () => {
  const all = await Scheduled.open()
  const id = all.later(3000, 'x')
  await all.test.settle()
  all.test.broker.cancelScheduled(id)
  await all.test.crash()
  const consumer = all.test.consume('queue:q')
  await all.test.advance(3000)
  expect(consumer.values).toEqual(['x'])
})

test('the wall clock may be set forward and back', async () => {
  const all = await Scheduled.open()
  all.later(2 * HOUR, 'b')
  all.later(HOUR, 'a')
  all.later(4 * HOUR, 'c')
  const consumer = all.test.consume('queue:q')
  await all.test.advance(SECOND)
  all.test.platform.stepWallClock(3 * HOUR)
  await all.test.advance(10 * SECOND)
  expect(consumer.values).toEqual(['a', 'b'])
  consumer.ack(0, 1)
  all.test.platform.stepWallClock(-3 * HOUR)
  all.later(10 * SECOND, 'soon')
  await all.test.advance(11 * SECOND)
  expect(consumer.values).toEqual(['a', 'b', 'soon'])
  consumer.ack(2)
  await all.test.advance(4 * HOUR)
  expect(consumer.values).toEqual(['a', 'b', 'soon', 'c'])
})

test('what waited through a long standstill comes in order', async () => {
  const all = await Scheduled.open()
  const values: string[] = []
  for (let n = 0; n < 60; n++) all.later(((n * 37) % 60) * 2 * HOUR + 1, `${(n * 37) % 60}`)
  for (let n = 0; n < 60; n++) values.push(String(n))
  await all.test.settle()
  all.test.platform.forget()
  all.test.platform.stepWallClock(30 * DAY)
  await all.test.crash()
  const consumer = all.test.consume('queue:q')
  await all.test.advance(5 * SECOND)
  expect(consumer.values).toEqual(values)
  expect(all.test.store.logs().length).toBeLessThan(5)
})

test('what was scheduled for a queue goes with it, also if it is made again', async () => {
  const all = await Scheduled.open()
  const id = all.later(5000, 'x', 'y')
  await all.test.settle()
  all.test.broker.deleteQueue('q')
  expect(all.test.warnings).toEqual(['queue:q was deleted with 2 scheduled messages'])
  expect(all.test.broker.stats().scheduledMessages).toBe(0)
  expect(all.test.broker.cancelScheduled(id)).toBe(false)
  const consumer = all.test.consume('queue:q')
  await all.test.settle()
  await all.test.crash()
  const again = all.test.consume('queue:q')
  await all.test.advance(10_000)
  expect([...consumer.values, ...again.values]).toEqual([])
})

test('a slot that is larger than memory is published in portions, in order', async () => {
  const all = await Scheduled.open({ limits: { scheduledBytesMax: 4000 } })
  const expected: string[] = []
  for (let n = 0; n < 200; n++) {
    const ms = (n * 7) % 40
    all.later(200 * SECOND + ms, `${String(ms).padStart(2, '0')}/${String(n).padStart(3, '0')}`)
    expected.push(`${String(ms).padStart(2, '0')}/${String(n).padStart(3, '0')}`)
  }
  for (let n = 200; n < 260; n++) {
    all.later(200 * SECOND + 20, `20/${n}`)
    expected.push(`20/${n}`)
  }
  const consumer = all.test.consume('queue:q')
  await all.test.advance(201 * SECOND)
  expect(consumer.values).toEqual(expected.toSorted())
  expect(all.waiting).toBe(0)
})

test('topics take scheduled messages too; growth in partitions does not matter', async () => {
  const all = await Scheduled.open()
  const { broker } = all.test
  broker.createTopic({ name: 't', partitions: 2 })
  const reader = all.test.read('topic:t', 'earliest', 1)
  broker.destination('topic:t', false).publishLater(1, all.batch('x'), all.nowMs + 100)
  expect(broker.topic('t').scheduled).toBe(1)
  broker.updateTopic('t', { partitions: 4 })
  await all.test.advance(100)
  expect(reader.values).toEqual(['x'])
  expect(broker.topic('t').scheduled).toBe(0)
})

test('what becomes due while others are published does not wait for the next look at the clock', async () => {
  const all = await Scheduled.open()
  for (let ms = 5000; ms < 5020; ms++) all.later(ms, String(ms))
  const consumer = all.test.consume('queue:q')
  await all.test.advance(4990)
  const clock = all.test.platform.clock as { nowMs: () => number }
  const nowMs = clock.nowMs.bind(clock)
  let looks = 0
  clock.nowMs = () => nowMs() + looks++ / 2
  await all.test.advance(30)
  expect(consumer.values).toHaveLength(20)
})

test('a queue that expires takes what is scheduled for it along', async () => {
  const all = await Scheduled.open()
  const { broker } = all.test
  broker.createQueue({ name: 'q', expireMs: 2 * SECOND })
  all.later(20 * SECOND, 'x')
  expect(broker.stats().scheduledMessages).toBe(1)
  await all.test.advance(5 * SECOND)
  expect(() => broker.queue('q')).toThrow('does not exist')
  expect(broker.stats().scheduledMessages).toBe(0)
})

test('what is damaged does not hold up the rest, and is tried again at the next start', async () => {
  const journal = await openMemoryJournal()
  let isDamaged = false
  const read: typeof journal.read = async (...args) => {
    const bytes = await journal.read(...args)
    return isDamaged ? bytes.map((byte) => byte ^ 255) : bytes
  }
  const all = new Scheduled(await TestBroker.open({ storage: { tailCacheBytes: 1 } }, 1, journalOver(journal, { read })))
  all.later(300 * SECOND, 'a')
  all.later(600 * SECOND, 'b')
  await all.test.settle()
  await all.test.advance(250 * SECOND)
  isDamaged = true
  await all.test.advance(100 * SECOND)
  isDamaged = false
  await all.test.advance(300 * SECOND)
  expect(all.test.warnings).toEqual([expect.stringContaining('cannot be read and stay where they are')])
  expect(all.waiting).toBe(1)
  await all.test.restart()
  const consumer = all.test.consume('queue:q')
  await all.test.advance(SECOND)
  expect(consumer.values).toEqual(['b', 'a'])
})

test('a limit of the queue is about what is in it: what is due comes all the same', async () => {
  const all = await Scheduled.open()
  const { broker } = all.test
  broker.createQueue({ name: 'q', limits: { messages: 1 } })
  all.test.publish('queue:q', 'full')
  all.later(SECOND, 'later')
  await all.test.advance(SECOND)
  expect(broker.queue('q').ready).toBe(2)
  expect(() => all.test.publish('queue:q', 'x')).toThrow(expect.objectContaining({ code: 'queue_full' }))
})

test('slots are given up when they are done: nothing is left behind', async () => {
  const all = await Scheduled.open()
  const before = all.test.store.logs().length
  for (let n = 1; n < 300; n++) all.later(n * 1700, 'x')
  expect(all.test.store.logs().length).toBeGreaterThan(before)
  await all.test.advance(600 * SECOND)
  expect(all.test.store.logs().length).toBe(before + 1)
})

test('a million that wait survive a restart, and leave when their time has come', async () => {
  const all = await Scheduled.open()
  const values = Array.from({ length: 50 }, (_, n) => `${n}`)
  for (let n = 0; n < 20_000; n++) {
    all.later(HOUR + all.test.platform.below(30 * DAY), ...values)
    if (n % 1000 === 0) await all.test.settle()
  }
  await all.test.settle()
  await all.test.crash()
  expect(all.waiting).toBe(1_000_000)
  expect(all.test.store.logs().length).toBeLessThan(500)
  all.test.platform.forget()
  all.test.platform.stepWallClock(31 * DAY)
  await all.test.crash()
  await all.test.advance(20 * SECOND)
  expect(all.waiting).toBe(0)
  expect(all.test.broker.queue('q').ready).toBe(1_000_000)
})
