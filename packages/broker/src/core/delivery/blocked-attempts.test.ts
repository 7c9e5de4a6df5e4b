import { expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'

/** A message that waits for one with its key, in a state log that was written anew meanwhile. */
async function withBlocked(): Promise<TestBroker> {
  const t = await TestBroker.open({ limits: { stateLogBytesFloor: 500 } })
  t.broker.createQueue({ name: 'work', delivery: { order: 'key' } })
  t.publishKeyed('queue:work', 0, [
    ['k', 'first'],
    ['k', 'second'],
  ])
  await t.settle()
  return t
}

async function rewriteState(t: TestBroker): Promise<void> {
  const other = t.consume('queue:other')
  for (let n = 0; n < 60; n++) {
    t.publish('queue:other', 'x')
    await t.settle()
    other.ack(n)
    await t.settle()
  }
}

test('the first delivery of a message that waited for its turn is known after a crash', async () => {
  const t = await withBlocked()
  const consumer = t.consume('queue:work')
  await t.settle()
  await rewriteState(t)
  consumer.ack(0)
  await t.settle()
  expect(consumer.taken()).toEqual(['first#1', 'second#1'])
  await t.crash()
  const again = t.consume('queue:work')
  await t.settle()
  expect(again.taken()).toEqual(['second#2'])
})

test('an orderly end forgets that it would have been delivered', async () => {
  const t = await withBlocked()
  const consumer = t.consume('queue:work')
  await t.settle()
  await rewriteState(t)
  expect(consumer.taken()).toEqual(['first#1'])
  await t.restart()
  const again = t.consume('queue:work')
  await t.settle()
  again.ack(0)
  await t.settle()
  expect(again.taken()).toEqual(['first#2', 'second#1'])
})
