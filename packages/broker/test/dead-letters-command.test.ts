import { expect, test } from 'vitest'
import { BrokerOfFile } from './harness/broker-of-file.ts'

const broker = new BrokerOfFile()
const { run, out, json } = broker

test('dead letters are listed, looked at and moved back', async () => {
  await out('queue', 'create', 'work', '--ttl', '1h', '--dead-letter', 'queue:dead', '--expire', '7d')
  expect(await json('queue', 'get', 'work')).toMatchObject({ delivery: { ttlMs: 3_600_000 }, expireMs: 604_800_000 })
  await out('pub', 'queue:work', 'too late', '--ttl', '1ms')
  await out('pub', 'queue:work', 'in time', '--ttl', '1h')
  await expect.poll(() => json('queue', 'get', 'dead'), { timeout: 20_000 }).toMatchObject({ ready: 1 })

  expect(await out('dlq', 'ls')).toMatch(/^dead\t1\t0\t0\t.*\tqueue:work\n$/)
  expect(await json('dlq', 'ls')).toMatchObject([{ name: 'dead', ready: 1, sources: ['queue:work'] }])
  expect(await out('dlq', 'inspect', 'dead')).toMatch(/^0\t\d{4}-.*\tqueue:work\texpired\t0\t\ttoo late\n$/)
  const [letter] = (await json('dlq', 'inspect', 'dead')) as { death: object }[]
  expect(letter).toMatchObject({ body: 'too late', death: { reason: 'expired', source: 'queue:work' } })
  expect(await json('msg', 'get', 'queue:dead', '0')).toEqual(letter)
  const overHttp = await fetch(`${broker.process.httpUrl}/v1/queues/dead/messages/0`)
  expect(await overHttp.json()).toEqual(letter)
  expect(await out('msg', 'get', 'queue:dead', '0')).toMatch(/^died\t.* in queue:work after 0 attempts: expired$/m)
  expect(await run(['msg', 'get', 'queue:dead', '1'])).toMatchObject({ code: 1, stderr: expect.stringContaining('no message 1') })

  const dry = await run(['dlq', 'redrive', 'dead', '--dry-run'])
  expect(dry).toEqual({ code: 0, stdout: 'queue:work\texpired\t1\t0\n', stderr: 'would move 1 of 1 messages\n' })
  expect(await json('dlq', 'redrive', 'dead', '--filter', "body = 'none'")).toMatchObject({ state: 'done', scanned: 1, moved: 0 })
  expect((await run(['dlq', 'redrive', 'dead', '--rate', '100', '--max', '5'])).stderr).toBe('moved 1 of 1 messages\n')
  expect(await out('sub', 'queue:work', '--count', '2', '-q')).toBe('in time\ntoo late\n')
})

test('what has no origin stays, and says what to do', async () => {
  await out('pub', 'queue:strays', 'stray')
  const stays = await run(['dlq', 'redrive', 'strays'])
  expect(stays.stderr).toBe('moved 0 of 1 messages\n1 stay: their origin is gone or a subscription. Say where to with --to.\n')
  await out('queue', 'create', 'home')
  expect(await json('dlq', 'redrive', 'strays', '--to', 'queue:home', '--offset', '0', '--keep-headers')).toMatchObject({
    moved: 1,
  })
  expect(await run(['dlq', 'redrive', 'strays', '--to', 'queue:none'])).toMatchObject({ code: 3 })
})

test('a queue is moved elsewhere, as a whole or in part, and letters stay letters', async () => {
  await out('queue', 'create', 'shelf')
  await out('queue', 'create', 'old', '--ttl', '1h', '--dead-letter', 'queue:letters')
  await out('queue', 'create', 'letters')
  await out('pub', 'queue:old', 'a', '-H', 'colour=red')
  await out('pub', 'queue:old', 'b', '-H', 'colour=blue')
  await out('pub', 'queue:old', 'c', '-H', 'colour=red')
  const red = ['--filter', "colour = 'red'"]
  const dry = await run(['queue', 'move', 'old', 'queue:shelf', ...red, '--dry-run'])
  expect(dry).toMatchObject({ code: 0, stderr: 'would move 2 of 3 messages\n' })
  expect(await json('queue', 'get', 'shelf')).toMatchObject({ ready: 0 })
  expect(await json('queue', 'move', 'old', 'queue:shelf', ...red, '--rate', '100')).toMatchObject({ moved: 2, state: 'done' })
  expect(await out('sub', 'queue:shelf', '--count', '2', '-q')).toBe('a\nc\n')
  expect(await out('sub', 'queue:old', '--count', '1', '-q')).toBe('b\n')

  await out('pub', 'queue:old', 'dies', '--ttl', '1ms')
  await expect.poll(() => json('queue', 'get', 'letters'), { timeout: 20_000 }).toMatchObject({ ready: 1 })
  expect(await json('queue', 'move', 'letters', 'queue:shelf')).toMatchObject({ moved: 1 })
  expect(await json('peek', 'queue:shelf')).toMatchObject([{ body: 'dies', death: { reason: 'expired', source: 'queue:old' } }])
  expect(await run(['queue', 'move', 'old', 'queue:none'])).toMatchObject({ code: 3 })
  expect(await run(['queue', 'move', 'old', 'queue:shelf', '--filter', 'a = = b'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('column 5'),
  })
})

test('a queue is purged, but not unasked', async () => {
  await out('pub', 'queue:full', 'x', '--count', '3')
  expect(await run(['queue', 'purge', 'full'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('3 messages that wait'),
  })
  expect((await run(['queue', 'purge', 'full', '--dry-run'])).stderr).toBe(
    'would delete the 3 messages that wait in queue:full\n',
  )
  expect((await run(['queue', 'purge', 'full', '--yes'])).stderr).toBe('dropped 3 messages of queue:full\n')
  expect(await json('queue', 'get', 'full')).toMatchObject({ ready: 0 })
  await out('queue', 'update', 'full', '--ttl', '5s', '--expire', '1d')
  await out('queue', 'update', 'full', '--ttl', 'none', '--expire', 'none')
  const info = (await json('queue', 'get', 'full')) as { delivery: object }
  expect(info).not.toHaveProperty('expireMs')
  expect(info.delivery).not.toHaveProperty('ttlMs')
})
