// A long backlog: `node bench/dist/hundred-million.js [MESSAGES] [LOGS] [BATCH] [DIRECTORY]` after `npm run build`.
// Writes MESSAGES (default 100 million) of 100 bytes in batches of BATCH (default 100) to LOGS logs (default 1,000) in turn, prints
// what the index takes, ends without closing as kill -9 does, and opens the store again in a new process, which reads a sample of what was written.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crc32c } from '../../packages/broker/dist/engines/disk/checksum.js'
import { openDiskJournal } from '../../packages/broker/dist/engines/disk/index.js'
import type { Journal } from '../../packages/broker/dist/ports/journal.js'
import { nodePlatform } from '../../packages/broker/dist/server/node-platform.js'
import type { LogStore } from '../../packages/broker/dist/storage/log-store.js'
import { openLogStore } from '../../packages/broker/dist/storage/open-log-store.js'
import { type Backlog, readLog, readSamples, writeBacklog } from './backlog.ts'
import { temporaryDirectory } from './broker-process.ts'

const PROGRESS_MS = 5000
const SAMPLES = 1000
const SCANNED_LOGS = 3

const program = fileURLToPath(import.meta.url)

interface Load extends Backlog {
  readonly directory: string
}

if (process.argv[1] === program) {
  const [messages = '100000000', logs = '1000', batch = '100', directory = '', phase = ''] = process.argv.slice(2)
  await main({ messages: Number(messages), logCount: Number(logs), batch: Number(batch), directory }, phase)
}

export async function main(load: Load, phase = ''): Promise<void> {
  if (phase === 'write') await write(load)
  else if (phase === 'read') await openAgain(load)
  else {
    const directory = load.directory === '' ? temporaryDirectory() : load.directory
    try {
      runPhase({ ...load, directory }, 'write', (end) => end.signal === 'SIGKILL')
      runPhase({ ...load, directory }, 'read', (end) => end.status === 0)
    } finally {
      if (load.directory === '') rmSync(directory, { recursive: true, force: true })
    }
  }
}

type End = Pick<SpawnSyncReturns<Buffer>, 'status' | 'signal'>

function runPhase({ messages, logCount, batch, directory }: Load, phase: string, isExpected: (end: End) => boolean): void {
  const parameters = ['--expose-gc', program, String(messages), String(logCount), String(batch), directory, phase]
  const end = spawnSync(process.execPath, parameters, { stdio: 'inherit' })
  if (!isExpected(end)) throw new Error(`the ${phase} phase ended with ${end.status ?? end.signal}`)
}

async function write(load: Load): Promise<void> {
  const { store } = await open(load.directory)
  const startedMs = performance.now()
  let nextProgressMs = startedMs + PROGRESS_MS
  await writeBacklog(store, crc32c, load, (written) => {
    if (performance.now() < nextProgressMs) return
    nextProgressMs += PROGRESS_MS
    console.error(`${millions(written)} million written, ${figures(store)}`)
  })
  const seconds = (performance.now() - startedMs) / 1000
  globalThis.gc?.()
  console.log(
    `${millions(load.messages)} million messages in ${seconds.toFixed(1)} s: ${Math.round(load.messages / seconds).toLocaleString('en')}/s`,
  )
  console.log(`before the kill: ${figures(store)}`)
  process.kill(process.pid, 'SIGKILL')
}

async function openAgain(load: Load): Promise<void> {
  const { messages, logCount, directory } = load
  const startedMs = performance.now()
  const journal = await openJournal(directory)
  const journalMs = performance.now() - startedMs
  const store = await openLogStore({ journal, platform: nodePlatform(), crc32c })
  const openMs = performance.now() - startedMs
  globalThis.gc?.()
  console.log(
    `opened after the kill in ${Math.round(openMs)} ms, the journal in ${Math.round(journalMs)} of them: ${figures(store)}`,
  )
  const logs = store.logs()
  const kept = logs.reduce((sum, log) => sum + store.bounds(log).end, 0)
  if (logs.length !== logCount || kept < messages) throw new Error(`only ${kept} messages in ${logs.length} logs are there`)
  await sample(store, load)
  for (let n = 0; n < Math.min(SCANNED_LOGS, logs.length); n++) await scan(store, n, load)
  await store.close()
  await journal.close()
}

async function sample(store: LogStore, load: Load): Promise<void> {
  const startedMs = performance.now()
  await readSamples(store, load, SAMPLES)
  console.log(`${SAMPLES} reads at random in ${Math.round(performance.now() - startedMs)} ms`)
}

/** As a consumer that starts at the beginning does. */
async function scan(store: LogStore, n: number, load: Load): Promise<void> {
  const startedMs = performance.now()
  const { messages, bytes } = await readLog(store, n, load)
  const seconds = (performance.now() - startedMs) / 1000
  const perSecond = `${Math.round(messages / seconds).toLocaleString('en')} messages/s, ${Math.round(bytes / 1e6 / seconds)} MB/s`
  console.log(`log ${n} from its beginning: ${messages} messages, ${perSecond}`)
}

async function open(directory: string): Promise<{ journal: Journal; store: LogStore }> {
  const journal = await openJournal(directory)
  return { journal, store: await openLogStore({ journal, platform: nodePlatform(), crc32c }) }
}

function openJournal(directory: string): Promise<Journal> {
  return openDiskJournal({ directory: `${directory}/data`, durability: 'fsync' })
}

function figures(store: LogStore): string {
  const { indexBytes, journalBytes, checkpoints } = store.stats
  return `index ${mb(indexBytes)}, resident ${mb(process.memoryUsage.rss())}, journal ${mb(journalBytes)}, ${checkpoints} checkpoints`
}

function millions(messages: number): string {
  return (messages / 1e6).toFixed(1)
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}
