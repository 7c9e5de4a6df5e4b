import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connect, type Millrace, MillraceError } from '@millrace/client'
import { startEmbedded } from 'millrace/embedded'

/** What the queues and topics of all examples begin with. */
const PREFIX = 'example.'

/**
 * Runs an example when its file is the program that was started, and not when it is imported: on the broker that `--url` names, else on
 * one inside this process. The exit code is 0 when it ends well, 1 when it fails, 2 when it was called wrongly.
 */
export async function run(moduleUrl: string, example: (client: Millrace) => Promise<unknown>): Promise<void> {
  const started = process.argv[1]
  if (started === undefined || realpathSync(started) !== fileURLToPath(moduleUrl)) return
  let url: string | undefined
  try {
    url = parseArgs({ options: { url: { type: 'string' } } }).values.url
  } catch (error) {
    console.error(`${(error as Error).message}\nThe only option is --url millrace://HOST:PORT.`)
    process.exitCode = 2
    return
  }
  try {
    await (url === undefined ? runEmbedded(example) : runAt(url, example))
  } catch (error) {
    console.error(error instanceof MillraceError ? error.message : error)
    process.exitCode = 1
  }
}

async function runEmbedded(example: (client: Millrace) => Promise<unknown>): Promise<void> {
  const broker = await startEmbedded()
  try {
    await example(broker.client)
  } finally {
    await broker.close()
  }
}

async function runAt(url: string, example: (client: Millrace) => Promise<unknown>): Promise<void> {
  const client = await connect(url)
  try {
    await forgetEarlierRuns(client)
    await example(client)
  } finally {
    await client.close()
  }
}

async function forgetEarlierRuns({ admin }: Millrace): Promise<void> {
  for (const { name } of await admin.topics()) if (name.startsWith(PREFIX)) await admin.deleteTopic(name)
  for (const { name } of await admin.queues()) if (name.startsWith(PREFIX)) await admin.deleteQueue(name)
}
