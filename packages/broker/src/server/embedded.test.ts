import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startEmbedded } from 'millrace/embedded'

test('has the API of the client and needs no sockets', async () => {
  await using broker = await startEmbedded()
  const { client } = broker
  const receipt = await client.queue('mail').publish({ to: 'a@example.com' })
  expect(receipt).toEqual({ partition: 0, offset: 0 })
  const received: unknown[] = []
  for await (const message of client.queue('mail').messages()) {
    received.push(message.json())
    await message.ack()
    break
  }
  expect(received).toEqual([{ to: 'a@example.com' }])
  expect(await client.admin.queue('mail')).toMatchObject({ ready: 0, inFlight: 0, counters: { published: 1, acked: 1 } })
  expect(await client.admin.status()).toMatchObject({ engine: 'memory', listeners: {} })
})

test('keeps messages on disk when it is told where', async () => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-embedded-'))
  const first = await startEmbedded({ data, durability: 'os' })
  await first.client.queue('mail').publish('kept')
  await expect(startEmbedded({ data })).rejects.toMatchObject({ code: 'data_in_use' })
  await first.close()
  await first.close()

  const second = await startEmbedded({ data })
  const other = await second.connect()
  const [message] = await other.queue('mail').pull({ waitMs: 10_000 })
  expect(message!.text()).toBe('kept')
  await message!.ack()
  await second.close()
  rmSync(data, { recursive: true })
})

test('takes the limits of the configuration', async () => {
  const broker = await startEmbedded({ limits: { batchBytesMax: '64KiB', queuesMax: 1 }, autoCreate: false })
  await expect(broker.client.queue('q').publish('x')).rejects.toMatchObject({ code: 'not_found' })
  await broker.client.admin.createQueue({ name: 'q' })
  await expect(broker.client.queue('q').publish('x'.repeat(100_000))).rejects.toMatchObject({ code: 'record_too_large' })
  await expect(broker.client.admin.createQueue({ name: 'r' })).rejects.toMatchObject({ code: 'limit_reached' })
  await broker.close()
  await expect(startEmbedded({ limits: { batchBytesMax: 'much' } })).rejects.toMatchObject({ code: 'bad_config' })
})
