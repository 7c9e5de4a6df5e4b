import { expect, test } from 'vitest'
import type { RedisCommand } from './redis-command.ts'
import { RedisIdempotencyStore } from './redis-idempotency-store.ts'

// What the scripts do is tested against a server: interop/redis.

const OPTIONS = { leaseMs: 1000, retentionMs: 2000 }

interface Recorder {
  readonly sent: string[][]
  readonly command: RedisCommand
}

function recorder(...replies: readonly unknown[]): Recorder {
  const sent: string[][] = []
  let n = 0
  const command: RedisCommand = async (parts) => {
    sent.push([...parts])
    const reply = replies[n++]
    if (reply instanceof Error) throw reply
    return reply
  }
  return { sent, command }
}

test('a server that does not know a script gets it', async () => {
  const { sent, command } = recorder(new Error('NOSCRIPT No matching script.'), ['started', '17'])
  const store = new RedisIdempotencyStore(command)
  expect(await store.begin('k', OPTIONS)).toEqual({ state: 'started', fence: 17 })
  expect(sent.map(([name]) => name)).toEqual(['EVALSHA', 'EVAL'])
  expect(sent[1]!.slice(2)).toEqual(sent[0]!.slice(2))
})

test('other errors are passed on', async () => {
  const { sent, command } = recorder(new Error("READONLY You can't write against a read only replica."))
  await expect(new RedisIdempotencyStore(command).begin('k', OPTIONS)).rejects.toThrow(/READONLY/)
  expect(sent).toHaveLength(1)
})

test('the keys of one call are on one node of a cluster', async () => {
  const { sent, command } = recorder(['started', '1'], ['started', '2'])
  const store = new RedisIdempotencyStore(command, { prefix: 'shop:' })
  await store.begin('order 1', OPTIONS)
  await store.begin('order {2}', OPTIONS)
  for (const [, , keys, entry, fence] of sent) {
    expect(keys).toBe('2')
    const tag = /\{(\d+)\}/.exec(entry!)![1]
    expect(entry).toMatch(new RegExp(`^shop:\\{${tag}\\}:key:order `))
    expect(fence).toBe(`shop:{${tag}}:fence`)
  }
})

test('clients of both libraries are told apart', async () => {
  const calls: unknown[] = []
  const reply = async (...parts: unknown[]): Promise<unknown> => {
    calls.push(parts)
    return ['started', '1']
  }
  await new RedisIdempotencyStore({ call: reply }).begin('k', OPTIONS)
  await new RedisIdempotencyStore({ sendCommand: reply }).begin('k', OPTIONS)
  expect(calls[1]).toEqual([calls[0]])
})

test('what no script answers is not taken for an answer', async () => {
  await expect(new RedisIdempotencyStore(recorder('QUEUED').command).begin('k', OPTIONS)).rejects.toMatchObject({
    code: 'unsupported',
  })
  await expect(new RedisIdempotencyStore(recorder(['?']).command).begin('k', OPTIONS)).rejects.toMatchObject({
    code: 'unsupported',
  })
  expect(() => new RedisIdempotencyStore(recorder().command, { prefix: '{a}' })).toThrow(/braces/)
})
