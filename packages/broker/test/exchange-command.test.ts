import { expect, test } from 'vitest'
import { BrokerOfFile } from './harness/broker-of-file.ts'

const { run, out } = new BrokerOfFile()

/** Exchanges, but for those that AMQP clients expect. */
async function own(): Promise<string> {
  const lines = (await out('exchange', 'ls')).split(/(?<=\n)/)
  return lines.filter((line) => !line.startsWith('amq.')).join('')
}

test('exchanges from the command line: create, bind, publish, list, delete', async () => {
  await out('exchange', 'create', 'events', '--alternate', 'rest')
  await out('exchange', 'create', 'rest', '--type', 'fanout', '--auto-delete', '--transient')
  await out('queue', 'create', 'mail')
  await out('queue', 'create', 'others')
  await out('exchange', 'bind', 'events', 'queue:mail', '--key', 'mail.#')
  await out('exchange', 'bind', 'rest', 'queue:others')
  expect(await out('exchange', 'bindings')).toBe('events\tqueue:mail\tmail.#\t\nrest\tqueue:others\t\t\n')
  expect(JSON.parse(await out('exchange', 'bindings', '--to', 'queue:mail', '-o', 'json'))).toEqual([
    { source: 'events', destination: 'queue:mail', key: 'mail.#' },
  ])

  await out('pub', 'exchange:events/mail.sent', 'one')
  await out('pub', 'exchange:events', 'two', '--key', 'elsewhere')
  expect(await out('sub', 'queue:mail', '--count', '1')).toContain('one')
  expect(await out('sub', 'queue:others', '--count', '1')).toContain('two')
  expect(await own()).toBe('events\ttopic\t2\t2\t0\talternate "rest"\nrest\tfanout\t0\t0\t0\ttransient, auto-delete\n')
  expect(JSON.parse(await out('exchange', 'get', 'events', '-o', 'json'))).toMatchObject({ name: 'events', type: 'topic' })

  await out('exchange', 'unbind', 'rest', 'queue:others')
  const refused = await run(['pub', 'exchange:events/elsewhere', 'three'])
  expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('no binding')])
  expect((await run(['exchange', 'rm', 'events', '--if-unused', '--yes'])).stderr).toContain('has 1 bindings')
  await out('exchange', 'rm', 'events', '--yes')
  expect(await own()).toBe('')
})

test('bindings of headers exchanges, and of consistent hashes', async () => {
  await out('exchange', 'create', 'h', '--type', 'headers')
  await out('exchange', 'create', 'hash', '--type', 'consistent-hash', '--hash-header', 'tenant', '--internal', '--delayed')
  await out('exchange', 'bind', 'h', 'exchange:hash', '-H', 'level=high', '-H', 'a=b', '--mode', 'any')
  expect(JSON.parse(await out('exchange', 'bindings', 'h', '-o', 'json'))).toEqual([
    { source: 'h', destination: 'exchange:hash', key: '', match: { mode: 'any', headers: { level: 'high', a: 'b' } } },
  ])
  expect((await run(['exchange', 'bind', 'h', 'queue:mail', '--mode', 'any'])).stderr).toContain('--header')
  expect((await run(['exchange', 'bind', 'hash', 'queue:mail', '--key', 'heavy'])).stderr).toContain('weight')
  expect((await run(['pub', 'exchange:', 'm'])).stderr).toContain('names no exchange')
})
