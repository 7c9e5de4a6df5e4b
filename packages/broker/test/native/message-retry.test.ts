import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MillraceError, PublishOptions } from '@millrace/client'
import { startEmbedded } from 'millrace/embedded'
import { testBroker, type TestBroker } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let broker: TestBroker

beforeEach(async () => {
  broker = await testBroker()
  const { admin } = broker.client
  await admin.createQueue({ name: 'dead' })
  await admin.createQueue({
    name: 'mail',
    delivery: { maxAttempts: 2, backoff: { kind: 'fixed', initialMs: 60_000 }, deadLetter: 'queue:dead' },
  })
})

afterEach(() => broker.close())

async function textsOf(queue: string): Promise<string[]> {
  return (await broker.client.queue(queue).peek({ max: 100 })).map((message) => message.text())
}

describe('a message with a retry policy of its own', () => {
  it('is tried so often and after such waits, among others', async () => {
    const { client, clock } = broker
    const retry = { maxAttempts: 3, backoff: { kind: 'exponential', initialMs: 1000, factor: 3 } } as const
    await client
      .queue('mail')
      .publishBatch([{ body: 'own', retry }, { body: 'usual' }, { body: 'once', retry: { maxAttempts: 1 } }])
    const tries: string[] = []
    const start = clock.nowMs
    const consumption = client.queue('mail').consume(
      (message) => {
        tries.push(`${message.text()} ${Math.round((clock.nowMs - start) / 1000)}`)
        throw new Error('not now')
      },
      { concurrency: 3 },
    )
    await clock.advance('2m')
    expect(tries).toEqual(['own 0', 'usual 0', 'once 0', 'own 1', 'own 4', 'usual 60'])
    expect(await textsOf('dead')).toEqual(['once', 'own', 'usual'])
    await consumption.stop()
  })

  it('is published by a publisher, a transaction, a multicast and the typed handles alike', async () => {
    const { client } = broker
    const retry = { maxAttempts: 1 }
    const publisher = client.publisher('queue:mail')
    publisher.send('sent', { retry })
    await publisher.close()
    await client.transaction((tx) => void tx.publish('queue:mail', 'transacted', { retry }))
    await client.multicast(['queue:mail'], 'multicast', { retry })
    await client.queue('mail').publish({ json: true }, { retry, priority: 3, headers: { h: 'x', 'millrace-retry': 'mine' } })
    const messages = await client.queue('mail').pull({ waitMs: 1000 })
    for (const { headers } of messages) expect(Buffer.from(headers['millrace-retry']!).toString()).toBe('{"maxAttempts":1}')
    await Promise.all(messages.map((message) => message.nack()))
    expect(await textsOf('dead')).toEqual(['sent', 'transacted', 'multicast', '{"json":true}'])
  })

  it('with a policy that is none is refused, and so are those with it', async () => {
    const { client } = broker
    const wrong: [PublishOptions['retry'], string][] = [
      [{ maxAttempts: 0 }, 'retry.maxAttempts must be a whole number from 1 to 1000000, not 0'],
      [{ backoff: { kind: 'exponential', initialMs: 5, jitter: 3 } }, 'retry.backoff.jitter must be a number from 0 to 1, not 3'],
      [{ attempts: 4 } as object, 'retry has no setting "attempts"; it has maxAttempts, backoff'],
    ]
    for (const [retry, message] of wrong) {
      const refusal = await client
        .queue('mail')
        .publish('x', { retry: retry! })
        .catch((error: unknown) => error as MillraceError)
      expect(refusal).toMatchObject({ code: 'bad_request', message })
    }
    expect(await textsOf('mail')).toEqual([])
  })

  it('keeps its attempts and its policy over a restart', async () => {
    const data = mkdtempSync(join(tmpdir(), 'millrace-retry-'))
    const retry = { maxAttempts: 3, backoff: { kind: 'fixed', initialMs: 50 } } as const
    for (let attempt = 1; attempt <= 3; attempt++) {
      const embedded = await startEmbedded({ data })
      const queue = embedded.client.queue('jobs')
      if (attempt === 1) await queue.publish('x', { retry })
      const [job] = await queue.pull({ waitMs: 10_000 })
      expect(job!.attempt).toBe(attempt)
      await job!.nack()
      const { ready, counters } = await embedded.client.admin.queue('jobs')
      expect([ready, counters.dropped]).toEqual(attempt < 3 ? [1, 0] : [0, 1])
      await embedded.close()
    }
    rmSync(data, { recursive: true })
  })

  it('is the same in an embedded broker', async () => {
    const embedded = await startEmbedded()
    const queue = embedded.client.queue('jobs')
    await queue.publish('x', { retry: { maxAttempts: 1 } })
    const [job] = await queue.pull({ waitMs: 1000 })
    await job!.nack()
    expect(await embedded.client.admin.queue('jobs')).toMatchObject({ ready: 0, inFlight: 0, counters: { dropped: 1 } })
    await embedded.close()
  })
})
