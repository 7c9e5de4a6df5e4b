import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type RunningServer, startServer } from './compose.ts'
import { loadConfig } from './config/load.ts'
import { silentLog } from './log/log.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-definitions-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

async function startWith(definitions: string): Promise<RunningServer> {
  const file = join(directory, 'definitions.json')
  writeFileSync(file, definitions)
  const flags = { data: join(directory, 'data'), listen: ['none', 'amqp=0'], 'amqp.definitions': file }
  return startServer(await loadConfig({ flags }), silentLog)
}

it('definitions are imported at each start', async () => {
  const queue = { name: 'orders', vhost: 'prod', durable: true, auto_delete: false, arguments: {} }
  const text = JSON.stringify({ vhosts: [{ name: 'prod' }], queues: [queue] })
  for (const _ of [1, 2]) {
    const server = await startWith(text)
    expect(server.broker.queue('prod::orders').durable).toBe(true)
    expect(server.broker.router.exchange('prod::amq.topic').type).toBe('topic')
    await server.close()
  }
})

it.each([
  ['{', /definitions\.json cannot be imported: .*JSON/],
  ['{"queues":[{"name":"q","vhost":"none"}]}', /queues\[0\] \("q"\): There is no virtual host "none"/],
])('definitions such as %s keep it from starting', async (text, why) => {
  await expect(startWith(text)).rejects.toThrow(why)
  // The data is free again.
  await (await startWith('{}')).close()
})
