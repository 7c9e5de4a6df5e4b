import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freePort } from '../../../bench/src/free-port.ts'
import { BrokerOfFile } from './harness/broker-of-file.ts'
import { type CommandResult, millrace } from './harness/run-command.ts'

const broker = new BrokerOfFile()
const { run, out } = broker

interface QueueFacts {
  readonly consumers: number
  readonly counters: { readonly acked: number }
}

const factsOf = (queue: string): Promise<QueueFacts> => broker.json('queue', 'get', queue) as Promise<QueueFacts>
const consumersOf = async (queue: string): Promise<number> => (await factsOf(queue)).consumers
const ackedOf = async (queue: string): Promise<number> => (await factsOf(queue)).counters.acked

describe('publish and consume', () => {
  test('a message goes through a queue', async () => {
    const published = await run(['pub', 'queue:mail', 'hello'])
    expect(published).toEqual({ code: 0, stdout: '', stderr: 'published to queue:mail, partition 0, offset 0\n' })
    expect(await out('sub', 'queue:mail', '--count', '1', '-q')).toBe('hello\n')
    expect(JSON.parse(await out('queue', 'get', 'mail', '-o', 'json'))).toMatchObject({ name: 'mail', ready: 0, inFlight: 0 })
  })

  test('a message goes to several destinations, or to none', async () => {
    const published = await run(['pub', 'queue:one', 'hello', '--to', 'topic:two', '--to', 'queue:three'])
    const places = ['queue:one', 'topic:two', 'queue:three'].map((name) => `${name}, partition 0, offset 0`)
    expect(published).toEqual({ code: 0, stdout: '', stderr: `published to ${places.join('; ')}\n` })
    const receipt = JSON.parse(await out('pub', 'queue:one', 'hello', '--to', 'queue:three', '-o', 'json')) as object
    expect(receipt).toMatchObject({ receipts: [{ destination: 'queue:one', offset: 1 }, { destination: 'queue:three' }] })
    expect((await run(['pub', 'queue:one', 'x', '--to', 'three'])).code).toBe(2)
    expect((await run(['pub', 'queue:one', 'x', '--to', 'queue:three', '--count', '2'])).code).toBe(2)
  })

  test('with --no-create a message goes only to what exists', async () => {
    const missing = { code: 3, stdout: '', stderr: expect.stringMatching(/absent.*\(not_found\)\n$/s) as string }
    expect(await run(['pub', 'queue:absent', 'x', '--no-create'])).toEqual(missing)
    expect(await run(['pub', 'queue:absent', 'x', '--no-create', '--count', '3'])).toEqual(missing)
    expect(await run(['pub', 'queue:absent', 'x', '--no-create', '--to', 'topic:also-absent'])).toEqual(missing)
    expect((await run(['queue', 'get', 'absent'])).code).toBe(3)
    expect((await run(['topic', 'get', 'also-absent'])).code).toBe(3)
    await out('queue', 'create', 'present')
    expect((await run(['pub', 'queue:present', 'x', '--no-create'])).stderr).toBe(
      'published to queue:present, partition 0, offset 0\n',
    )
  })

  test('a queue with priorities hands out the highest first', async () => {
    await out('queue', 'create', 'urgent', '--priorities', '10')
    expect((await run(['pub', 'queue:urgent', 'low'])).stderr).toBe('published to queue:urgent, partition 0, offset 0\n')
    expect((await run(['pub', 'queue:urgent', 'high', '--priority', '7'])).stderr).toBe(
      'published to queue:urgent, partition 7, offset 0\n',
    )
    await out('pub', 'queue:urgent', 'highest', '--priority', '200', '--to', 'queue:plain')
    expect(await out('queue', 'get', 'urgent')).toMatch(/^priorities\s+10\nready at 9\s+1\nready at 7\s+1\nready at 0\s+1\n/m)
    expect(JSON.parse(await out('queue', 'get', 'urgent', '-o', 'json'))).toMatchObject({ priorities: 10, ready: 3 })
    const shown = (await out('peek', 'queue:urgent', '-o', 'json')).trim().split('\n').join('')
    expect(shown).toMatch(/highest.*high.*low/)
    expect(await out('msg', 'get', 'queue:urgent', '0', '--partition', '7')).toMatch(/^header priority\s+7$/m)
    expect(await out('sub', 'queue:urgent', '--count', '3', '-q')).toBe('highest\nhigh\nlow\n')
    expect((await run(['pub', 'queue:urgent', 'x', '--priority', '256'])).code).toBe(2)
    expect((await run(['pub', 'queue:urgent', 'x', '--priority', '1e1'])).code).toBe(2)
    expect(await run(['queue', 'create', 'bad', '--priorities', '300'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('256') as string,
    })
    expect((await run(['queue', 'update', 'urgent', '--priorities', '20'])).code).toBe(0)
    expect(await run(['queue', 'update', 'urgent', '--priorities', '2'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('can only grow') as string,
    })
  })

  test('messages for later wait, and can be taken back', async () => {
    const receipt = JSON.parse(await out('pub', 'queue:later', 'hello', '--delay', '1h', '-o', 'json')) as { scheduled: number }
    const note = (await run(['pub', 'queue:later', 'hello', '--at', '2050-01-01T00:00:00Z'])).stderr
    expect(note).toBe(`scheduled for queue:later as ${receipt.scheduled + 1}\n`)
    expect(JSON.parse(await out('queue', 'get', 'later', '-o', 'json'))).toMatchObject({ scheduled: 2, ready: 0 })
    const cancel = ['scheduled', 'cancel', String(receipt.scheduled)]
    expect(await run(cancel)).toEqual({ code: 0, stdout: '', stderr: `cancelled ${receipt.scheduled}\n` })
    expect(await run(cancel)).toMatchObject({ code: 3, stderr: expect.stringContaining('does not wait') as string })
    expect(JSON.parse(await out('queue', 'get', 'later', '-o', 'json'))).toMatchObject({ scheduled: 1 })
    expect((await run(['pub', 'queue:later', 'x', '--delay', '1h', '--at', '2050-01-01'])).code).toBe(2)
    expect((await run(['pub', 'queue:later', 'x', '--at', 'soon'])).code).toBe(2)
  })

  test('queues, subscriptions and single messages say how they are retried', async () => {
    const backoff = 'exponential:1s..1m,factor=3,jitter=0.2'
    await out('queue', 'create', 'retried', '--max-attempts', '5', '--backoff', backoff)
    expect(await out('queue', 'get', 'retried')).toMatch(/^backoff\s+exponential:1s\.\.60s,factor=3,jitter=0\.2$/m)
    await out('topic', 'create', 'retried')
    await out('subscription', 'create', 'retried/s', '--backoff', 'fixed:5s,jitter=0.5')
    expect(await out('subscription', 'get', 'retried/s')).toMatch(/^backoff\s+fixed:5s,jitter=0\.5$/m)
    await out('pub', 'queue:retried', 'x', '--max-attempts', '1', '--backoff', backoff)
    await out('pub', 'queue:retried', 'y', '--max-attempts', '9', '--count', '2')
    const header = '{"maxAttempts":1,"backoff":{"kind":"exponential","initialMs":1000,"maxMs":60000,"factor":3,"jitter":0.2}}'
    const shown = JSON.parse(await out('peek', 'queue:retried', '-o', 'json')) as { headers: Record<string, string> }[]
    expect(shown.map(({ headers }) => headers['millrace-retry'])).toEqual([header, '{"maxAttempts":9}', '{"maxAttempts":9}'])
    for (const wrong of [
      ['--max-attempts', '0'],
      ['--backoff', 'soon'],
      ['--backoff', 'fixed:1s,jitter=2'],
    ])
      expect((await run(['pub', 'queue:retried', 'x', ...wrong])).code).toBe(2)
  })

  test('bodies come from arguments, pipes and files; receipts as JSON', async () => {
    const file = join(broker.process.data, '..', 'body.txt')
    writeFileSync(file, 'from a file')
    const receipt = await run(['pub', 'queue:bodies', '--file', file, '-o', 'json'])
    expect(JSON.parse(receipt.stdout)).toEqual({ destination: 'queue:bodies', partition: 0, offset: 0 })
    expect((await run(['pub', 'queue:bodies', '-'], { input: 'from a pipe\nin two lines' })).code).toBe(0)
    expect((await run(['pub', 'queue:bodies'], { input: 'piped without a dash' })).code).toBe(0)
    expect((await run(['pub', 'queue:bodies', '--lines'], { input: 'one\ntwo\n' })).stderr).toBe(
      'published 2 messages to queue:bodies\n',
    )
    expect((await run(['pub', 'queue:bodies', 'again', '--count', '3'])).stderr).toBe('published 3 messages to queue:bodies\n')
    expect(await out('sub', 'queue:bodies', '--count', '8', '-q')).toBe(
      'from a file\nfrom a pipe\nin two lines\npiped without a dash\none\ntwo\nagain\nagain\nagain\n',
    )
  })

  test('keys and headers arrive; --raw writes nothing but bytes', async () => {
    await out('pub', 'queue:rich', 'body', '--key', 'k1', '-H', 'trace=a=b', '-H', 'kind=test')
    const [peeked] = JSON.parse(await out('peek', 'queue:rich', '-o', 'json')) as unknown[]
    expect(peeked).toMatchObject({ offset: 0, key: 'k1', headers: { trace: 'a=b', kind: 'test' }, body: 'body' })
    const overHttp = await fetch(`${broker.process.httpUrl}/v1/queues/rich/messages`)
    expect(await overHttp.json()).toEqual({ messages: [peeked] })
    expect(JSON.parse(await out('sub', 'queue:rich', '--count', '1', '-o', 'ndjson', '-q'))).toMatchObject({
      attempt: 1,
      key: 'k1',
    })
    await out('pub', 'queue:rich', 'x')
    expect(await out('sub', 'queue:rich', '--count', '1', '--raw', '-q')).toBe('x')
  })

  test('--no-ack gives messages back', async () => {
    await out('pub', 'queue:back', 'still here')
    expect(await out('sub', 'queue:back', '--count', '1', '--no-ack', '-q')).toBe('still here\n')
    expect(await out('sub', 'queue:back', '--count', '1', '-q')).toBe('still here\n')
  })

  test('SIGINT gives back what was not printed, and is no error', async () => {
    await out('pub', 'queue:interrupted', 'first')
    const { code, stdout } = await run(['sub', 'queue:interrupted'], {
      onOutput: (text, signal) => {
        if (text === 'first\n') signal('SIGINT')
      },
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'first\n' })
    expect(JSON.parse(await out('queue', 'get', 'interrupted', '-o', 'json'))).toMatchObject({
      ready: 0,
      inFlight: 0,
      consumers: 0,
    })
  })

  test('a queue of any name, which ends by itself, goes with its last consumer', async () => {
    await out('queue', 'create', 'a b/c', '--transient', '--auto-delete')
    expect(JSON.parse(await out('queue', 'get', 'a b/c', '-o', 'json'))).toMatchObject({ durable: false, autoDelete: true })
    await out('pub', 'queue:a b/c', 'hello')
    expect(await out('peek', 'queue:a b/c', '--max', '1')).toContain('hello')
    expect(await out('sub', 'queue:a b/c', '--count', '1', '-q')).toBe('hello\n')
    expect(await run(['queue', 'get', 'a b/c'])).toMatchObject({ code: 3, stderr: expect.stringContaining('does not exist') })
  })

  test('--timeout ends the wait: an error only when a count was missed', async () => {
    await out('pub', 'queue:short', 'only one')
    const missed = await run(['sub', 'queue:short', '--count', '2', '--timeout', '300ms'])
    expect(missed).toMatchObject({ code: 5, stdout: 'only one\n' })
    expect(missed.stderr).toContain('millrace: Only 1 of 2 messages came from queue:short')
    expect((await run(['sub', 'queue:short', '--timeout', '300ms'])).code).toBe(0)
  })

  test('a consumer with a higher priority gets messages first, an exclusive one gets them alone', async () => {
    await out('queue', 'create', 'preferred')
    const ends: ((name: NodeJS.Signals) => void)[] = []
    const consumer = (priority: string): Promise<CommandResult> =>
      run(['sub', 'queue:preferred', '--prefetch', '20', '--priority', priority], { onStart: (signal) => ends.push(signal) })
    const both = Promise.all([consumer('-1'), consumer('5')])
    await expect.poll(() => consumersOf('preferred'), { timeout: 15_000 }).toBe(2)
    await out('pub', 'queue:preferred', 'x', '--count', '20')
    await expect.poll(() => ackedOf('preferred'), { timeout: 15_000 }).toBe(20)
    for (const end of ends) end('SIGINT')
    const [low, high] = await both
    expect([high.stdout, low.stdout]).toEqual(['x\n'.repeat(20), ''])

    const alone = run(['sub', 'queue:preferred', '--exclusive', '--count', '1'])
    await expect.poll(() => consumersOf('preferred'), { timeout: 15_000 }).toBe(1)
    expect((await run(['sub', 'queue:preferred', '--count', '1'])).stderr).toMatch(/ \(in_use\)\n$/)
    await out('pub', 'queue:preferred', 'y')
    expect(await alone).toMatchObject({ code: 0, stdout: 'y\n' })
    expect((await run(['sub', 'topic:t', '--exclusive'])).code).toBe(2)
    expect((await run(['sub', 'queue:q', '--priority', '1.5'])).code).toBe(2)
  })

  test('a topic is read from anywhere, and keeps its messages', async () => {
    await out('topic', 'create', 'events', '--partitions', '1')
    for (const body of ['a', 'b', 'c']) await out('pub', 'topic:events', body)
    expect(await out('sub', 'topic:events', '--from', 'earliest', '--count', '3', '-q')).toBe('a\nb\nc\n')
    expect(await out('sub', 'topic:events', '--from', 'offset:1', '--count', '2', '-q')).toBe('b\nc\n')
    expect(await out('peek', 'topic:events', '--from', 'offset:2')).toMatch(/^0\t2\t\d{4}-.*\t\t1\tc\n$/)
  })

  test('--filter shows what matches, and peek says where it stopped', async () => {
    for (const n of [1, 2, 3, 4]) await out('pub', 'topic:sifted', `m${n}`, '-H', `n=${n}`)
    const page = await run(['peek', 'topic:sifted', '--filter', 'n > 1', '--max', '2', '-o', 'ndjson'])
    expect(page.stdout.match(/"body":"m\d"/g)).toEqual(['"body":"m2"', '"body":"m3"'])
    expect(page.stderr).toContain('--from offset:3')
    expect((await run(['peek', 'topic:sifted', '--filter', 'n > 3'])).stderr).toBe('')
    expect(await out('sub', 'topic:sifted', '--from', 'earliest', '--filter', 'n = 2 OR n = 4', '--count', '2', '-q')).toBe(
      'm2\nm4\n',
    )
    const wrong = await run(['peek', 'topic:sifted', '--filter', 'n = '])
    expect(wrong.code).not.toBe(0)
    expect(wrong.stderr).toContain('column')
    expect((await run(['sub', 'queue:q', '--filter', 'n = 1'])).stderr).toContain('--filter is for reading a topic')
  })

  test('subscriptions of one topic each get all of it', async () => {
    await out('topic', 'create', 'news')
    for (const name of ['audit', 'search']) await out('subscription', 'create', `news/${name}`, '--from', 'earliest')
    await out('pub', 'topic:news', 'extra')
    for (const name of ['audit', 'search']) expect(await out('sub', `topic:news/${name}`, '--count', '1', '-q')).toBe('extra\n')
    expect(await out('subscription', 'ls', 'news')).toMatch(/^news\taudit\t0\t.*\nnews\tsearch\t0\t.*\n$/)
    await out('subscription', 'update', 'news/audit', '--lease', '90s')
    expect(JSON.parse(await out('subscription', 'get', 'news/audit', '-o', 'json'))).toMatchObject({
      delivery: { leaseMs: 90_000 },
    })
  })
})

describe('administration', () => {
  test('queues are created, listed, changed and deleted', async () => {
    await out('queue', 'create', 'orders', '--lease', '30s', '--max-attempts', '5', '--dead-letter', 'queue:orders-dead')
    expect(JSON.parse(await out('queue', 'get', 'queue:orders', '-o', 'json'))).toMatchObject({
      delivery: { leaseMs: 30_000, maxAttempts: 5, deadLetter: 'queue:orders-dead' },
    })
    await out('queue', 'update', 'orders', '--max-attempts', 'none', '--lease', '1m')
    const { delivery } = JSON.parse(await out('queue', 'get', 'orders', '-o', 'json')) as { delivery: Record<string, unknown> }
    expect(delivery).toMatchObject({ leaseMs: 60_000, deadLetter: 'queue:orders-dead' })
    expect(delivery).not.toHaveProperty('maxAttempts')
    expect((await out('queue', 'ls')).split('\n').some((line) => line.startsWith('orders\t'))).toBe(true)
    await out('queue', 'update', 'orders', '--backoff', 'exponential:100ms..30s,factor=3,jitter=0.2')
    expect(JSON.parse(await out('queue', 'get', 'orders', '-o', 'json'))).toMatchObject({
      delivery: { backoff: { kind: 'exponential', initialMs: 100, maxMs: 30_000, factor: 3, jitter: 0.2 } },
    })
    expect(await out('queue', 'get', 'orders')).toMatch(/^backoff\s+exponential:100ms\.\.30s,factor=3,jitter=0\.2$/m)
    expect(await run(['queue', 'update', 'orders', '--backoff', 'fixed:1s,jitter=2'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('jitter` must be at most 1') as string,
    })

    expect(await run(['queue', 'rm', 'orders'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Add --yes') as string,
    })
    expect(await run(['queue', 'rm', 'orders', '--dry-run'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('would delete') as string,
    })
    await out('queue', 'get', 'orders')
    await out('queue', 'rm', 'orders', '--yes')
    expect(await run(['queue', 'get', 'orders'])).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('orders') as string,
    })
  })

  test('topics grow, and retention limits come and go', async () => {
    await out('topic', 'create', 'logs', '--partitions', '2', '--retention-ms', '7d', '--retention-bytes', '1GiB')
    await out('topic', 'update', 'logs', '--partitions', '3', '--retention-bytes', 'none', '--retention-records', '1000')
    expect(JSON.parse(await out('topic', 'get', 'logs', '-o', 'json'))).toMatchObject({
      partitions: 3,
      retention: { ms: 604_800_000, records: 1000 },
    })
    await out('topic', 'rm', 'logs', '-y')
    expect((await run(['topic', 'get', 'logs'])).code).toBe(3)
  })

  test('status, in every format', async () => {
    expect(JSON.parse(await out('status', '-o', 'json'))).toMatchObject({
      pid: broker.process.pid,
      engine: 'disk',
      durability: 'fsync',
    })
    expect(await out('status')).toContain(`pid\t${broker.process.pid}\n`)
    expect(await out('status', '-o', 'yaml')).toContain(`pid: ${broker.process.pid}\n`)
    expect((await out('queue', 'ls', '-o', 'ndjson')).trim().split('\n').length).toBeGreaterThan(1)
  })

  test('doctor finds the broker and the disk in order', async () => {
    const { code, stdout } = await run(['doctor', '--data', broker.process.data])
    expect({ code, failures: stdout.split('\n').filter((line) => line.startsWith('fail')) }).toEqual({ code: 0, failures: [] })
    expect(stdout).toContain(`process ${broker.process.pid}`)
    expect(stdout).toContain('fdatasync of 4 KiB takes')
  })

  test('bench measures, and removes its queue', async () => {
    const { code, stdout, stderr } = await run(['bench', 'e2e', '--count', '2000', '-o', 'json'])
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('durability fsync') as string })
    expect(JSON.parse(stdout)).toMatchObject({ messages: 2000, sizeBytes: 100, correctedForCoordinatedOmission: false })
    expect((await run(['bench', 'pub', '--rate', '500', '--count', '200'])).stdout).toContain('latency p99.9')
    const many = await run(['bench', 'pub', '--destinations', '5', '--batch', '10', '--count', '500', '-o', 'json'])
    expect(JSON.parse(many.stdout)).toMatchObject({ messages: 500, destinations: 5 })
    expect(await out('queue', 'ls')).not.toContain('bench-')
  })
})

describe('mistakes', () => {
  test('an unknown flag or command is answered with a suggestion', async () => {
    expect(await run(['queue', 'ls', '--outptu', 'json'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "millrace: unknown option '--outptu'. Did you mean --output?\n",
    })
    expect(await run(['stat'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "millrace: unknown command 'stat'. Did you mean start?\n",
    })
    expect(await run(['start', '--dat', 'x'])).toMatchObject({
      code: 2,
      stderr: "millrace: unknown option '--dat'. Did you mean --data?\n",
    })
    expect((await run(['pub', 'queue:x', 'body', '--count', 'many'])).code).toBe(2)
    expect((await run(['pub'])).code).toBe(2)
  })

  test('addresses, missing things and illegal names', async () => {
    expect(await run(['pub', 'mail', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Write queue:mail or topic:mail') as string,
    })
    expect((await run(['peek', 'queue:nothing-here'])).code).toBe(3)
    expect((await run(['sub', 'topic:nothing-here', '--count', '1'])).code).toBe(3)
    expect((await run(['queue', 'create', 'a\u0001b'])).code).toBe(2)
  })

  test('a record that is too large is refused, and the next one is fine', async () => {
    const input = new Uint8Array(18 * 1024 * 1024)
    const { code, stderr } = await run(['pub', 'queue:large', '-'], { input })
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^millrace: .*at most.*Send smaller ones.*\n$/) as string,
    })
    await out('pub', 'queue:large', 'small')
    expect(await out('sub', 'queue:large', '--count', '1', '-q')).toBe('small\n')
  })

  test('without a broker every command says where it looked and how to start one', async () => {
    const startedMs = performance.now()
    const { code, stdout, stderr } = await millrace([
      'pub',
      'queue:mail',
      'hello',
      '--url',
      `millrace://127.0.0.1:${await freePort()}`,
    ])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^millrace: No broker answers at millrace:\/\/127\.0\.0\.1:\d+\. Start one with `npm start`.*\n$/)
    expect(performance.now() - startedMs).toBeLessThan(6000)
  })

  test('the port of another door is not taken for no broker', async () => {
    const { code, stdout, stderr } = await run(['queue', 'ls', '--url', broker.process.httpUrl.replace('http:', 'millrace:')])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^millrace: What answers at millrace:\/\/127\.0\.0\.1:\d+ does not speak the native protocol.*6455.*\n$/,
    )
  })

  test('doctor fails without a broker', async () => {
    const { code, stdout } = await millrace([
      'doctor',
      '--data',
      broker.process.data,
      '--url',
      `millrace://127.0.0.1:${await freePort()}`,
    ])
    expect(code).toBe(1)
    expect(stdout).toContain('fail  broker: No broker answers')
  })

  test('help and version go to stdout', async () => {
    expect(await millrace(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string })
    expect(await millrace(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Commands:') as string })
    expect(await millrace(['pub', '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--url') as string })
    expect((await millrace(['completion', 'bash'])).stdout).toContain('complete -o default -F _millrace millrace')
  })
})
