import { beforeEach, describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../../test/amqp/amqp-peer.ts'
import { heldJournal, type HeldJournal } from '../../../../test/core/held-journal.ts'
import type { MethodName } from '../codec/methods.ts'

const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const queue = { ...declaration, queue: 'q' }
const exchange = { ...declaration, exchange: 'x', type: 'topic', internal: false }
const binding = { queue: 'q', exchange: 'x', routingKey: 'k', noWait: false, arguments: {} }
const between = { destination: 'gone', source: 'x', routingKey: 'k', noWait: false, arguments: {} }

let held: HeldJournal
let broker: AmqpBroker
let first: AmqpPeer
let second: AmqpPeer

beforeEach(async () => {
  held = await heldJournal()
  broker = await AmqpBroker.open({ journal: held.journal })
  first = await broker.opened()
  second = await broker.opened()
  await first.call(1, 'queue.declare', { ...queue, queue: 'gone' })
  await first.call(1, 'exchange.declare', { ...exchange, exchange: 'gone' })
})

const questions: readonly (readonly [string, MethodName, object])[] = [
  ['declares the queue again', 'queue.declare', queue],
  ['looks for the queue', 'queue.declare', { ...queue, passive: true }],
  ['declares the exchange again', 'exchange.declare', exchange],
  ['looks for the exchange', 'exchange.declare', { ...exchange, passive: true }],
  ['makes the binding again', 'queue.bind', binding],
  ['deletes the deleted queue', 'queue.delete', { queue: 'gone', ifUnused: false, ifEmpty: false, noWait: false }],
  ['deletes the deleted exchange', 'exchange.delete', { exchange: 'gone', ifUnused: false, noWait: false }],
  ['unbinds the deleted queue', 'queue.unbind', { ...binding, queue: 'gone' }],
  ['unbinds the deleted exchange', 'exchange.unbind', between],
]

describe('what another connection changed in the same commit', () => {
  test.each(questions)('%s: the answer waits for it', async (_, name, args) => {
    held.hold()
    first.send(1, 'queue.declare', queue)
    first.send(1, 'exchange.declare', exchange)
    first.send(1, 'queue.bind', binding)
    first.send(1, 'queue.delete', { queue: 'gone', ifUnused: false, ifEmpty: false, noWait: false })
    first.send(1, 'exchange.delete', { exchange: 'gone', ifUnused: false, noWait: false })
    second.send(1, name, args)
    await second.settle()
    // Also once that commit is under way.
    second.send(1, name, args)
    await second.settle()
    expect([first.received, second.received]).toEqual([[], []])
    held.release()
    await second.settle()
    expect(first.received).toHaveLength(5)
    expect(second.takeNames()).toEqual([`${name}-ok`, `${name}-ok`])
  })
})

test('what is durable is told without a commit', async () => {
  await first.call(1, 'queue.declare', queue)
  await first.call(1, 'exchange.declare', exchange)
  const { commits } = broker.core.store.stats
  for (const passive of [false, true]) {
    await second.call(1, 'queue.declare', { ...queue, passive })
    await second.call(1, 'exchange.declare', { ...exchange, passive })
  }
  await second.call(1, 'queue.delete', { queue: 'never', ifUnused: false, ifEmpty: false, noWait: false })
  expect(broker.core.store.stats.commits).toBe(commits)
})
