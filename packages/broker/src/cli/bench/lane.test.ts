import type { Publisher } from '@millrace/client'
import { expect, test } from 'vitest'
import { Lane } from './lane.ts'

test('each message is measured from when its batch was meant to be sent, however confirms are cut', () => {
  const lane = new Lane(() => ({}) as Publisher)
  const added: [latencyMs: number, messages: number][] = []
  const meter = { add: (latencyMs: number, messages: number) => void added.push([latencyMs, messages]) }
  lane.sent(100, 3)
  lane.sent(200, 2)
  lane.confirmed(2, 300, meter)
  lane.confirmed(2, 400, meter)
  lane.sent(450, 1)
  lane.confirmed(2, 500, meter)
  expect(added).toEqual([
    [200, 2],
    [300, 1],
    [200, 1],
    [300, 1],
    [50, 1],
  ])
})

test('what is done is forgotten', () => {
  const lane = new Lane(() => ({}) as Publisher)
  let total = 0
  for (let n = 0; n < 5000; n++) {
    lane.sent(n, 1)
    lane.confirmed(1, n + 7, { add: (latencyMs) => (total += latencyMs) })
  }
  expect(total).toBe(35_000)
})
