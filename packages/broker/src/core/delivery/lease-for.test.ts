import { expect, test } from 'vitest'
import { TestBroker, type TestConsumer } from '../../../test/core/harness.ts'

const LEASE_MS = 10_000

async function withMessages(count: number): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'work', delivery: { leaseMs: LEASE_MS } })
  for (let n = 0; n < count; n += 100) t.publish('queue:work', ...Array.from({ length: 100 }, (_, each) => `${n + each}`))
  await t.settle()
  return t
}

function ackEveryOther(consumer: TestConsumer): string[] {
  const left: string[] = []
  for (const [n, { offset, value }] of consumer.messages.entries()) {
    if (n % 2 === 0) consumer.ack(offset)
    else left.push(`${value}#2`)
  }
  consumer.taken()
  return left
}

test('of consumers that took messages by turns, each gets back what it did not settle, and nothing of the others', async () => {
  const t = await withMessages(900)
  const consumers = [1, 2, 3].map(() => t.consume('queue:work', 0))
  for (let n = 0; n < 900; n++) {
    consumers[n % 3]!.consumer.grant(1)
    await t.settle()
  }
  const [a, b, c] = consumers.map(ackEveryOther)
  expect([a!.length, b!.length, c!.length]).toEqual([150, 150, 150])

  consumers[1]!.consumer.close()
  consumers[0]!.consumer.grant(1000)
  await t.settle()
  expect(consumers[0]!.taken()).toEqual(b)
  expect(t.broker.queue('work')).toMatchObject({ inFlight: 450, ready: 0 })

  for (const { consumer } of consumers) consumer.revoke()
  await t.advance(1.1 * LEASE_MS)
  expect(t.broker.queue('work')).toMatchObject({ inFlight: 0, ready: 450 })
  const last = t.consume('queue:work')
  await t.settle()
  const again = b!.map((each) => each.replace('#2', '#3'))
  expect(last.taken()).toEqual([...a!, ...again, ...c!].toSorted((one, other) => parseInt(one) - parseInt(other)))
})

test('what was extended stays when the rest of its lease ends', async () => {
  const t = await withMessages(600)
  const consumer = t.consume('queue:work', 600)
  await t.settle()
  consumer.taken()
  await t.advance(LEASE_MS / 2)
  for (let offset = 0; offset < 600; offset += 3) consumer.consumer.extend(0, offset, offset)
  await t.advance(0.6 * LEASE_MS)
  expect(t.broker.queue('work')).toMatchObject({ inFlight: 200, ready: 400 })
  await t.advance(LEASE_MS / 2)
  expect(t.broker.queue('work')).toMatchObject({ inFlight: 0, ready: 600 })
})

test('a lease of more ranges than end in one turn comes back whole', async () => {
  const t = await withMessages(20_000)
  const first = t.consume('queue:work', 20_000)
  await t.settle()
  const left = ackEveryOther(first)
  expect(left).toHaveLength(10_000)
  await t.advance(1.1 * LEASE_MS)
  expect(t.broker.queue('work')).toMatchObject({ inFlight: 0, ready: 10_000 })
  const second = t.consume('queue:work')
  await t.settle()
  expect(second.taken()).toEqual(left)
})
