import { expect, test } from 'vitest'
import { ConsumerClient } from '../../../test/core/consumer-client.ts'
import { GroupClient } from '../../../test/core/group-client.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import type { Principal, SessionContext } from '../session.ts'
import { check } from './json-schema.ts'
import { operations, runOperation, type OperationName } from './operations.ts'

function refused(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

const asked: string[] = []
const principal = {} as Principal

async function open(): Promise<{ t: TestBroker; run: (name: OperationName, params?: object) => Promise<unknown> }> {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 't', partitions: 2 })
  await t.settle()
  const context = {
    get broker() {
      return t.broker
    },
    authorize: (_: Principal, action: string, resource: string) => asked.push(`${action} ${resource}`),
  } as unknown as SessionContext
  return {
    t,
    async run(name, params = {}) {
      const result = await t.platform.until(runOperation(context, principal, name, params))
      check(operations[name].result as Parameters<typeof check>[0], JSON.parse(JSON.stringify(result)), name)
      return result
    },
  }
}

test('groups are listed with their lag, and described with members and partitions', async () => {
  const { t, run } = await open()
  t.publishKeyed('topic:t', 0, [[null, 'a'], [null, 'b'], [null, 'c']]) // prettier-ignore
  await t.settle()
  t.broker.groups.commitOffsets('simple', [{ topic: 't', partition: 0, offset: 1, metadata: 'm' }])
  new GroupClient(t, 'client').join()
  const consumer = new ConsumerClient(t, 'member', ['t'])
  consumer.beat({ group: 'assigned' })
  await t.settle()
  expect(await run('group.list')).toEqual({
    items: [
      { name: 'assigned', type: 'consumer', state: 'stable', protocolType: 'consumer', members: 1, lag: 0 },
      { name: 'g', type: 'classic', state: 'preparing-rebalance', protocolType: 'consumer', members: 1, lag: 0 },
      { name: 'simple', type: 'classic', state: 'empty', protocolType: '', members: 0, lag: 2 },
    ],
  })
  expect(await run('group.list', { limit: 1, prefix: 's' })).toMatchObject({ items: [{ name: 'simple' }] })
  expect(await run('group.get', { name: 'simple' })).toMatchObject({
    lag: 2,
    members: [],
    partitions: [{ topic: 't', partition: 0, offset: 1, start: 0, end: 3, lag: 2, metadata: 'm' }],
  })
  expect(await run('group.get', { name: 'assigned' })).toMatchObject({
    protocol: 'uniform',
    generation: 1,
    members: [{ memberId: 'member', clientId: 'client', assigned: [{ topic: 't', partitions: [0, 1] }] }],
  })
  expect(await run('group.get', { name: 'g' })).toMatchObject({ members: [{ clientHost: '/10.0.0.1' }] })
  expect(asked).toContain('describe group:simple')
})

test('groups are reset and deleted while they have no members', async () => {
  const { t, run } = await open()
  t.publishKeyed('topic:t', 1, [[null, 'a']])
  await t.settle()
  const to = { topic: 't', to: 'latest' }
  expect(await run('group.reset', { name: 'g', ...to })).toMatchObject({ partitions: [{ offset: 0 }, { offset: 1, lag: 0 }] })
  const member = new GroupClient(t, 'client').join()
  await expect(run('group.reset', { name: 'g', ...to })).rejects.toThrow(refused('in_use'))
  await expect(run('group.delete', { name: 'g' })).rejects.toThrow(refused('in_use'))
  await t.advance(200)
  member.leave()
  await run('group.delete', { name: 'g' })
  await t.crash()
  await expect(run('group.get', { name: 'g' })).rejects.toThrow(refused('not_found'))
  await expect(run('group.delete', { name: 'g' })).rejects.toThrow(refused('not_found'))
  await expect(run('group.reset', { name: 'g', topic: 'none', to: 'latest' })).rejects.toThrow(refused('not_found'))
  await expect(run('group.reset', { name: 'g', topic: 't', to: 'last' })).rejects.toThrow(refused('bad_request'))
  expect(asked).toContain('define group:g')
  expect(asked).toContain('delete group:g')
})
