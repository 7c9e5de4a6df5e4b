import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { BrokerOfFile } from './harness/broker-of-file.ts'

/** `millrace request`, `reply` and `transform` as processes of their own. */

const broker = new BrokerOfFile()
const { run, out, json } = broker

interface QueueFacts {
  readonly ready: number
  readonly inFlight: number
  readonly consumers: number
  readonly counters: { readonly acked: number; readonly redelivered: number }
}

/** Processes take their time to start. */
const PATIENCE = { timeout: 15_000 }

const queue = (name: string): Promise<QueueFacts> => json('queue', 'get', name) as Promise<QueueFacts>

async function inboxes(): Promise<readonly string[]> {
  return ((await json('queue', 'ls')) as { name: string }[]).flatMap(({ name }) => (name.startsWith('reply-') ? [name] : []))
}

test('a question is answered with a body, a command or itself, and acked with the answer', async () => {
  const fixed = run(['reply', 'queue:fixed', 'it is fine', '--count', '2'])
  expect(await out('request', 'queue:fixed', 'how is it?')).toBe('it is fine\n')
  const full = JSON.parse(await out('request', 'queue:fixed', 'and now?', '-o', 'json')) as { body: string; headers: object }
  expect([full.body, Object.keys(full.headers)]).toEqual(['it is fine', ['correlation-id']])
  expect(await fixed).toEqual({ code: 0, stdout: '', stderr: 'answered 2 messages of queue:fixed\n' })
  expect(await queue('fixed')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 2, redelivered: 0 } })

  const command = run(['reply', 'queue:upper', '--exec', 'tr a-z A-Z; echo; echo "$MILLRACE_MESSAGE"', '--count', '1'])
  const upper = await out('request', 'queue:upper', '-', '-H', 'source=shop', '--key', 'k')
  expect(upper).toMatch(/^\n/)
  expect(JSON.parse(upper)).toMatchObject({ key: 'k', attempt: 1, headers: { source: 'shop' } })
  expect((await command).code).toBe(0)

  const echo = run(['reply', 'queue:echo', '--echo', '-H', 'by=echo', '--count', '1'])
  const input = Uint8Array.of(0, 255, 10)
  const raw = JSON.parse((await run(['request', 'queue:echo', '-o', 'json'], { input })).stdout) as object
  expect(raw).toMatchObject({ bodyBase64: 'AP8K', headers: { by: 'echo' } })
  expect((await echo).code).toBe(0)
  expect(await inboxes()).toEqual([])
})

test('many answer one question', async () => {
  await out('topic', 'create', 'offers')
  const shops = ['a', 'b', 'c']
  for (const shop of shops) await out('subscription', 'create', `offers/${shop}`)
  const replies = shops.map((shop) => run(['reply', `topic:offers/${shop}`, `${shop} has it`, '--count', '2']))
  const lines = (await out('request', 'topic:offers', 'a book', '--replies', '3')).trim().split('\n')
  expect(lines.toSorted()).toEqual(shops.map((shop) => `${shop} has it`))
  // Fewer than asked for: those that came in time.
  const fewer = await out('request', 'topic:offers', 'a hat', '--replies', '9', '--timeout', '2s')
  expect(fewer.trim().split('\n')).toHaveLength(3)
  for (const reply of replies) expect((await reply).code).toBe(0)
})

test('without an answer in time the exit code is 5', async () => {
  expect(await run(['request', 'queue:nobody', 'hello?', '--timeout', '100ms'])).toEqual({
    code: 5,
    stdout: '',
    stderr: 'millrace: Nobody answered from queue:nobody within 100 ms. (timeout)\n',
  })
  const { code, stderr } = await run(['request', 'queue:nobody', 'x', '--replies', '2', '--timeout', '100ms', '-o', 'json'])
  expect([code, JSON.parse(stderr)]).toMatchObject([5, { code: 'timeout', status: 504 }])
  expect(await inboxes()).toEqual([])
})

test('a command that fails gives the message back; what asks for no answer is rejected', async () => {
  await out('queue', 'create', 'dead')
  await out('queue', 'create', 'flaky', '--dead-letter', 'queue:dead', '--backoff', 'fixed:1ms')
  const flaky = 'case "$MILLRACE_MESSAGE" in *\'"attempt":1\'*) echo "not yet" >&2; exit 3;; *) echo done;; esac'
  const reply = run(['reply', 'queue:flaky', '--exec', flaky, '--count', '3'])
  expect(await out('request', 'queue:flaky', 'x')).toBe('done\n')
  await out('pub', 'queue:flaky', 'no question')
  const { code, stderr } = await reply
  expect(code).toBe(1)
  expect(stderr).toBe(
    'not yet\nmessage 0 was given back: not yet\nmessage 1 was rejected: it asks for no answer: it has no header reply-to\n' +
      'answered 2 messages of queue:flaky\nmillrace: 1 of 3 messages failed, and were given back.\n',
  )
  expect((await json('peek', 'queue:dead')) as object[]).toMatchObject([
    { body: 'no question', death: { reason: 'rejected', source: 'queue:flaky' } },
  ])
})

test('a question whose asker is gone is acked without an answer, and nothing is created for it', async () => {
  await out('pub', 'queue:late', 'x', '-H', 'reply-to=long-gone')
  expect(await run(['reply', 'queue:late', '--echo', '--count', '1'])).toEqual({
    code: 0,
    stdout: '',
    stderr: 'message 0 was acked without an answer: whoever asked is gone\nanswered 1 message of queue:late\n',
  })
  expect(await queue('late')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 1, redelivered: 0 } })
  expect((await run(['queue', 'get', 'long-gone'])).code).toBe(3)
})

test('SIGINT ends both cleanly: what was not answered is given back, and the inbox is gone', async () => {
  await out('queue', 'create', 'slow')
  const asking = run(['request', 'queue:slow', 'x', '--timeout', '1m'], { onStart: (signal) => (interruptAsker = signal) })
  await expect.poll(async () => (await queue('slow')).ready, PATIENCE).toBe(1)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-reply-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const begun = join(directory, 'begun')
  const answering = run(['reply', 'queue:slow', '--exec', `touch '${begun}'; sleep 1; exit 1`], {
    onStart: (signal) => (interruptReply = signal),
  })
  // It is in flight before the command has it.
  await expect.poll(() => existsSync(begun), PATIENCE).toBe(true)
  interruptReply('SIGINT')
  expect(await answering).toEqual({ code: 0, stdout: '', stderr: 'answered 0 messages of queue:slow\n' })
  expect(await queue('slow')).toMatchObject({ ready: 1, inFlight: 0, consumers: 0 })
  expect(await out('sub', 'queue:slow', '--count', '1', '-o', 'json')).toContain('"attempt":1')
  interruptAsker('SIGINT')
  expect(await asking).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'millrace: Interrupted before a reply came from queue:slow.\n',
  })
  expect(await inboxes()).toEqual([])
}, 30_000)
let interruptAsker: (name: NodeJS.Signals) => void
let interruptReply: (name: NodeJS.Signals) => void

test('transform publishes what a command makes of each message, with its ack', async () => {
  await out('queue', 'create', 'prices', '--dead-letter', 'queue:dead', '--max-attempts', '1')
  for (const [key, price] of [
    ['a', '10'],
    ['b', 'much'],
    ['c', '30'],
  ] as const)
    await out('pub', 'queue:prices', price, '--key', key, '-H', 'currency=EUR')
  const cents =
    'read price; test "$price" -gt 0 2>/dev/null || { echo "not a price: $price" >&2; exit 1; }; echo $((price * 100))'
  const transformed = await run([
    'transform',
    'queue:prices',
    'queue:cents',
    'topic:log',
    '--exec',
    cents,
    '--count',
    '3',
    '-H',
    'unit=ct',
  ])
  expect([transformed.code, transformed.stderr]).toMatchObject([
    1,
    expect.stringContaining('message 1 was given back: not a price: much'),
  ])
  const expected = [
    { key: 'a', body: '1000', headers: { currency: 'EUR', unit: 'ct' } },
    { key: 'c', body: '3000', headers: { currency: 'EUR', unit: 'ct' } },
  ]
  expect(await json('peek', 'queue:cents')).toMatchObject(expected)
  expect(await json('peek', 'topic:log')).toMatchObject(expected)
  expect(await queue('prices')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 2 } })
})

test('transform: a line is a message, nothing is none, and what cannot be published is not acked', async () => {
  await out('pub', 'queue:words', 'one two')
  await out('pub', 'queue:words', 'skip')
  const split = ['transform', 'queue:words', 'queue:word', '--exec', 'grep -v skip | tr " " "\\n"; true', '--lines']
  expect((await run([...split, '--count', '2'])).code).toBe(0)
  expect(await out('sub', 'queue:word', '--count', '2', '-q')).toBe('one\ntwo\n')
  await out('queue', 'create', 'tiny', '--max-messages', '1')
  await out('pub', 'queue:tiny', 'full')
  await out('pub', 'queue:words', 'three four')
  const refused = await run(['transform', 'queue:words', 'queue:tiny', 'queue:word', '--exec', 'cat', '--count', '1'])
  expect([refused.code, refused.stderr]).toMatchObject([1, expect.stringMatching(/given back: .*tiny/)])
  expect(await queue('words')).toMatchObject({ ready: 1, counters: { acked: 2 } })
  expect(await queue('word')).toMatchObject({ ready: 0 })
  expect((await run(['transform', 'queue:none', 'queue:word', '--exec', 'cat', '--count', '1', '--timeout', '100ms'])).code).toBe(
    5,
  )
})

test('mistakes are told before anything is done', async () => {
  const usage = [
    ['reply', 'queue:q'],
    ['reply', 'queue:q', 'x', '--echo'],
    ['reply', 'topic:t', 'x'],
    ['transform', 'queue:q', 'queue:r'],
    ['transform', 'queue:q', '--exec', 'cat'],
    ['transform', 'queue:q', 'nowhere', '--exec', 'cat'],
    ['request', 'q', 'x'],
    ['request', 'queue:q', 'x', '--file', 'y'],
    ['request', 'exchange:x/a', 'x', '--key', 'b'],
    ['request', 'queue:q', 'x', '--replies', '0'],
  ]
  for (const command of usage) expect([command, (await run(command)).code]).toEqual([command, 2])
  expect(((await json('queue', 'ls')) as { name: string }[]).map(({ name }) => name)).not.toContain('q')
})
