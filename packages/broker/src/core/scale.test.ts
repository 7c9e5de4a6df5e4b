import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'

describe('many queues', () => {
  test('with a trickle each share their commits, before and after a restart', async () => {
    const queues = 10_000
    const t = await TestBroker.open()
    for (let n = 0; n < queues; n++) t.broker.createQueue({ name: `q${n}` })
    await t.settle()
    const consumers = Array.from({ length: queues }, (_, n) => t.consume(`queue:q${n}`, 5))
    const before = t.store.stats.commits
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < queues; n++) t.publish(`queue:q${n}`, `${round}`)
      await t.settle()
      for (const consumer of consumers) consumer.ack(round)
    }
    await t.settle()
    expect(t.store.stats.commits - before).toBeLessThan(20)
    for (const consumer of consumers) expect(consumer.values).toEqual(['0', '1', '2'])
    t.publish('queue:q7', 'x')
    await t.settle()
    await t.crash()
    expect(t.broker.queues()).toHaveLength(queues)
    expect(
      t.broker
        .queues()
        .filter((queue) => queue.ready !== 0)
        .map((queue) => queue.name),
    ).toEqual(['q7'])
    expect(t.broker.stats()).toMatchObject({ queues, consumers: 0 })
  })
})

describe('a fragmented queue', () => {
  test('survives a restart exactly, with a state log that stays short', async () => {
    const messages = 40_000
    const t = await TestBroker.open({ limits: { stateLogBytesFloor: 10_000 } })
    const consumer = t.consume('queue:work')
    for (let n = 0; n < messages; n += 100) t.publish('queue:work', ...Array.from({ length: 100 }, (_, at) => String(n + at)))
    await t.settle()
    expect(consumer.messages).toHaveLength(messages)
    for (let offset = 0; offset < messages; offset++) {
      if (offset % 2 === 1) consumer.ack(offset)
      if (offset % 1000 === 0) await t.settle()
    }
    for (let n = 0; n < 300; n++) {
      t.publish('queue:other', 'x')
      await t.settle()
    }
    const stateLog = t.store.logs()[0]!
    // Half of the messages, at a few bytes each, twice.
    expect(t.store.bounds(stateLog).bytes).toBeLessThan(400_000)
    await t.crash()
    expect(t.broker.queue('work')).toMatchObject({ ready: messages / 2, inFlight: 0, counters: { acked: messages / 2 } })
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.messages.every((message, n) => message.offset === 2 * n && message.attempt === 2)).toBe(true)
    expect(again.messages).toHaveLength(messages / 2)
  })

  test('gives back the space of what is settled behind a message that is kept', async () => {
    const t = await TestBroker.open()
    const consumer = t.consume('queue:work')
    for (let n = 0; n < 40; n++) {
      t.publish('queue:work', ...Array.from({ length: 100 }, () => 'x'.repeat(100)))
      await t.settle()
    }
    const full = t.broker.queue('work').bytes
    consumer.ack(1, 3999)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 1 })
    expect(t.broker.queue('work').bytes).toBeLessThan(full / 20)
    await t.crash()
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.messages.map((message) => [message.offset, message.attempt])).toEqual([[0, 2]])
  })
})
