import { afterAll, beforeAll, expect, test } from 'vitest'
import { Foreign } from './programs.ts'

/** librdkafka from Node. */

let foreign: Foreign

beforeAll(async () => {
  foreign = await Foreign.start()
})

afterAll(async () => foreign.stop())

const record = (n: number): unknown[] => [n - 1, `k${n}`, `v${n}`, 'origin=node']

test('an idempotent producer, and groups of both protocols that go on where they were', async () => {
  expect(await foreign.nodeRdkafka('groups')).toEqual({
    reports: [0, 1, 2, 3].map((offset) => ({ partition: 0, offset })),
    classic: [
      [record(1), record(2)],
      [record(3), record(4)],
    ],
    assigned: [1, 2, 3, 4].map(record),
  })
})

test('transactions', async () => {
  expect(await foreign.nodeRdkafka('transactions')).toEqual([
    [0, null, 'committed'],
    [1, null, 'committed too'],
  ])
})

test('administration of topics', async () => {
  const TOPIC_ALREADY_EXISTS = 36
  expect(await foreign.nodeRdkafka('admin')).toEqual({ again: TOPIC_ALREADY_EXISTS, grown: 3, gone: 0 })
})
