import { expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import { TransactionalClient } from '../../../test/core/transactional-client.ts'
import type { Principal, SessionContext } from '../session.ts'
import { check } from './json-schema.ts'
import { operations, runOperation, type OperationName } from './operations.ts'

test('open transactions are listed, described and aborted', async () => {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 't', partitions: 2 })
  const asked: string[] = []
  const context = {
    broker: t.broker,
    authorize: (_: Principal, action: string, resource: string) => asked.push(`${action} ${resource}`),
  } as unknown as SessionContext
  const run = async (name: OperationName, params: object = {}): Promise<unknown> => {
    const result = await t.platform.until(runOperation(context, {} as Principal, name, params))
    check(operations[name].result as Parameters<typeof check>[0], JSON.parse(JSON.stringify(result)), name)
    return result
  }
  const p = new TransactionalClient(t, 'p', 30_000).open()
  const q = new TransactionalClient(t, 'q').open()
  p.send('topic:t', 1, ['a'])
  p.addOffset('g', 't', 0, 0)
  await t.settle()

  const startedMs = t.platform.clock.nowMs()
  const ofP = { transactionalId: 'p', ...p.identity, state: 'open', timeoutMs: 30_000, startedMs }
  expect(await run('transaction.list')).toEqual({
    items: [ofP, { transactionalId: 'q', ...q.identity, state: 'empty', timeoutMs: 60_000 }],
  })
  expect(await run('transaction.list', { limit: 1 })).toEqual({ items: [ofP], next: 'p' })
  const partitions = [{ kind: 'topic', name: 't', partition: 1 }]
  expect(await run('transaction.get', { transactionalId: 'p' })).toEqual({
    ...ofP,
    partitions,
    groups: ['g'],
    bytes: expect.any(Number) as number,
  })
  expect(await run('transaction.abort', { transactionalId: 'p' })).toEqual({ aborted: true })
  expect(await run('transaction.abort', { transactionalId: 'p' })).toEqual({ aborted: false })
  expect(await run('transaction.get', { transactionalId: 'p' })).toMatchObject({ state: 'aborted', partitions: [], bytes: 0 })
  const unknown = run('transaction.get', { transactionalId: 'x' })
  await expect(unknown).rejects.toThrow(expect.objectContaining({ code: 'not_found' }))
  expect(new Set(asked)).toEqual(
    new Set(['describe broker', 'describe transaction:p', 'delete transaction:p', 'describe transaction:x']),
  )
})
