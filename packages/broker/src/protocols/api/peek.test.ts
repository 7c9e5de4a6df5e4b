import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import type { SessionContext } from '../session.ts'
import { peek } from './peek.ts'

/** A topic with 50,000 messages of which the last has the header `last`. */
async function haystack(): Promise<{ t: TestBroker; context: SessionContext }> {
  const t = await TestBroker.open()
  const destination = t.broker.destination('topic:log', true)
  for (let batch = 0; batch < 50; batch++) {
    const records = Array.from({ length: 1000 }, (_, n) => ({
      timestampMs: 1,
      value: null,
      headers: batch === 49 && n === 999 ? [{ key: 'last', value: new TextEncoder().encode('true') }] : [],
    }))
    destination.publish(0, encodeBatch(records))
    await t.settle()
  }
  return { t, context: { broker: t.broker, platform: t.platform } as unknown as SessionContext }
}

test('a search that is ended says where it is, and another goes on from there', async () => {
  const { t, context } = await haystack()
  const params = { source: 'topic:log', filter: 'last' }
  const leaving = new AbortController()
  const left = peek(context, params, leaving.signal)
  for (let n = 0; n < 10; n++) {
    t.platform.runTurn()
    // What is read from the journal comes with a promise.
    await new Promise((resolve) => setImmediate(resolve))
  }
  leaving.abort()
  const { messages, next } = await left
  expect(messages).toEqual([])
  const at = Number(/^0:(\d+)$/.exec(next!)![1])
  expect(at).toBeGreaterThan(1000)
  expect(at).toBeLessThan(49_999)

  const rest = peek(context, { ...params, after: next! })
  await t.settle()
  expect(await rest).toEqual({ messages: [expect.objectContaining({ offset: 49_999 })] })
})
