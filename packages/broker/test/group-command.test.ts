import { expect, test } from 'vitest'
import { BrokerOfFile } from './harness/broker-of-file.ts'

const broker = new BrokerOfFile()
const { run, out, json } = broker

test('a group is put somewhere, looked at and deleted, by command and over HTTP', async () => {
  await out('topic', 'create', 'orders', '--partitions', '2')
  await out('pub', 'topic:orders', 'x', '--count', '3', '--key', 'k')
  expect(await out('group', 'ls')).toBe('')
  const [filled, empty] = ['3', '0']
  const rows = await out('group', 'reset', 'billing', 'orders', '--to', 'earliest')
  const [first, second] = rows.split('\n').map((row) => row.split('\t'))
  expect([first, second].map((row) => row!.slice(0, 3))).toEqual([['orders', '0', '0'], ['orders', '1', '0']]) // prettier-ignore
  expect(new Set([first![3], second![3]])).toEqual(new Set([empty, filled]))
  expect(await out('group', 'ls')).toBe('billing\tclassic\tempty\t0\t3\n')
  expect(await json('group', 'ls')).toMatchObject([{ name: 'billing', lag: 3 }])

  const full = first![3] === filled ? '0' : '1'
  expect(await out('group', 'reset', 'billing', 'topic:orders', '--to', 'offset:2', '--partition', full)).toContain(
    `orders\t${full}\t2\t3\t1\t-\n`,
  )
  expect((await run(['group', 'get', 'billing'])).stderr).toBe('classic group, empty, 0 members, lag 1\n')
  expect(await json('group', 'get', 'billing')).toMatchObject({ name: 'billing', lag: 1, members: [] })
  const overHttp = await fetch(`${broker.process.httpUrl}/v1/groups/billing`)
  expect(await overHttp.json()).toEqual(await json('group', 'get', 'billing'))
  expect(await (await fetch(`${broker.process.httpUrl}/v1/groups?prefix=b`)).json()).toMatchObject({
    items: [{ name: 'billing', lag: 1 }],
  })
  const reset = (body: string): Promise<Response> =>
    fetch(`${broker.process.httpUrl}/v1/groups/billing/reset`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
  expect(await (await reset('{"topic":"orders","to":"latest"}')).json()).toMatchObject({ partitions: [{ lag: 0 }, { lag: 0 }] })
  expect((await reset('[]')).status).toBe(400)
  expect((await reset('{"topic":"none","to":"latest"}')).status).toBe(404)

  expect((await run(['group', 'rm', 'billing', '--dry-run'])).stderr).toBe(
    'would delete group billing with its offsets of 2 partitions\n',
  )
  expect((await run(['group', 'rm', 'billing', '--yes'])).stderr).toBe('deleted group billing\n')
  expect(await run(['group', 'rm', 'billing', '--yes'])).toMatchObject({ code: 3, stderr: expect.stringContaining('no group') })
  expect((await fetch(`${broker.process.httpUrl}/v1/groups/billing`, { method: 'DELETE' })).status).toBe(404)
})
