import { expect, test } from 'vitest'
import { BrokerOfFile } from './harness/broker-of-file.ts'

const broker = new BrokerOfFile()
const { run, out } = broker

test('quotas are set, listed and taken away, by command and over HTTP', async () => {
  const url = `${broker.process.httpUrl}/v1/quotas`
  await out('quota', 'set', '--for-user', 'ann', '--client-id', '*', '--publish-rate', '1MiB', '--consume-rate', '2MiB')
  const put = await fetch(url, {
    method: 'PUT',
    body: '{"user":"*","publishBytesPerSecond":1000}',
    headers: { 'content-type': 'application/json' },
  })
  expect(put.status).toBe(200)
  expect(JSON.parse(await out('quota', 'ls', '-o', 'json'))).toEqual([
    { user: '*', publishBytesPerSecond: 1000 },
    { user: 'ann', clientId: '*', publishBytesPerSecond: 1_048_576, consumeBytesPerSecond: 2_097_152 },
  ])
  expect(await out('quota', 'ls')).toMatch(/^\*\t-\t.*\/s\t-\t-\t-\nann\t\*\t.*\/s\t.*\/s\t-\t-\n$/)
  expect((await run(['quota', 'rm', '--for-user', 'ann'])).stderr).toMatch(/no quota for user ann/)
  await out('quota', 'rm', '--for-user', 'ann', '--client-id', '*')
  expect((await fetch(`${url}?user=*`, { method: 'DELETE' })).status).toBe(204)
  expect(await (await fetch(url)).json()).toEqual({ items: [] })
  await out('quota', 'set', '--for-user', 'bob', '--request-percent', '12.5', '--partition-changes', '3')
  expect(await out('quota', 'ls')).toBe('bob\t-\t-\t-\t12.5 %\t3/s\n')
  await out('quota', 'rm', '--for-user', 'bob')
  expect((await run(['quota', 'set', '--for-user', 'bob', '--request-percent', 'much'])).stderr).toMatch(/requestPercent/)
  expect((await run(['quota', 'set', '--for-user', 'ann'])).stderr).toMatch(/publishBytesPerSecond/)
})

test('a publish over HTTP that is over its quota is answered late', async () => {
  await out('quota', 'set', '--for-user', 'anonymous', '--publish-rate', '10KB')
  const before = performance.now()
  const answer = await fetch(`${broker.process.httpUrl}/v1/queues/q/messages`, { method: 'POST', body: 'x'.repeat(11_000) })
  expect(answer.status).toBe(201)
  expect(performance.now() - before).toBeGreaterThan(90)
  await out('quota', 'rm', '--for-user', 'anonymous')
})
