// A long backlog: `node bench/dist/hundred-million.js [MESSAGES] [LOGS] [BATCH] [DIRECTORY]` after `npm run build`.
// Writes MESSAGES (default 100 million) of 100 bytes in batches of BATCH (default 100) to LOGS logs (default 1,000) in turn, prints
// what the index takes, ends without closing as kill -9 does, and opens the store again in a new process, which reads a sample of what was written.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BATCH_HEADER_BYTES, RecordBatchBuilder } from '@millrace/wire'
import { crc32c } from '../../packages/broker/dist/engines/disk/checksum.js'
import { openDiskJournal } from '../../packages/broker/dist/engines/disk/index.js'
import type { Journal } from '../../packages/broker/dist/ports/journal.js'
import { nodePlatform } from '../../packages/broker/dist/server/node-platform.js'
import type { LogStore } from '../../packages/broker/dist/storage/log-store.js'
import { openLogStore } from '../../packages/broker/dist/storage/open-log-store.js'
import { temporaryDirectory } from './broker-process.ts'

const MESSAGE_BYTES = 100
const TURN_MESSAGES = 6400
const PROGRESS_MS = 5000
const SAMPLES = 1000
const SCANNED_LOGS = 3
const SCAN_BYTES = 1024 * 1024
/** Where the first value begins among the records: length (2 bytes), attributes, timestamp, offset, key and value lengths. */
const FIRST_VALUE = 8

const program = fileURLToPath(import.meta.url)
interface Load {
  readonly messages: number
  readonly logCount: number
  /** Messages in a batch. */
  readonly batch: number
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

async function write({ messages, logCount, batch: size, directory }: Load): Promise<void> {
  const { store } = await open(directory)
  const logs = Array.from({ length: logCount }, () => store.createLog())
  const builder = new RecordBatchBuilder(16 * 1024, crc32c)
  const value = new Uint8Array(MESSAGE_BYTES)
  const startedMs = performance.now()
  let nextProgressMs = startedMs + PROGRESS_MS
  let written = 0
  for (let batches = 0; written < messages; batches++) {
    const timestampMs = Date.now()
    for (let n = 0; n < size; n++) {
      new DataView(value.buffer).setFloat64(0, written + n)
      builder.append(timestampMs, null, value)
    }
    store.append(logs[batches % logCount]!, builder.finish(), size)
    written += size
    if (written % TURN_MESSAGES !== 0) continue
    await new Promise(setImmediate)
    if (store.pendingBytes > store.limits.pendingBytesHigh) await new Promise<void>((resolve) => relieved(store, resolve))
    if (performance.now() < nextProgressMs) continue
    nextProgressMs += PROGRESS_MS
    console.error(`${millions(written)} million written, ${figures(store)}`)
  }
  await new Promise<void>((resolve) => committed(store, resolve))
  const seconds = (performance.now() - startedMs) / 1000
  globalThis.gc?.()
  console.log(
    `${millions(written)} million messages in ${seconds.toFixed(1)} s: ${Math.round(written / seconds).toLocaleString('en')}/s`,
  )
  console.log(`before the kill: ${figures(store)}`)
  process.kill(process.pid, 'SIGKILL')
}

async function openAgain({ messages, logCount, batch: size, directory }: Load): Promise<void> {
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
  await readSamples(store, size)
  for (const log of logs.slice(0, SCANNED_LOGS)) await scan(store, log)
  await store.close()
  await journal.close()
}

/** As a consumer that starts at the beginning does. */
async function scan(store: LogStore, log: number): Promise<void> {
  const startedMs = performance.now()
  const { end } = store.bounds(log)
  let bytes = 0
  for (let offset = 0; offset < end;) {
    const batches = await store.read(log, offset, SCAN_BYTES)
    for (const batch of batches) bytes += batch.bytes.length
    offset = batches.at(-1)!.lastOffset + 1
  }
  const seconds = (performance.now() - startedMs) / 1000
  const perSecond = `${Math.round(end / seconds).toLocaleString('en')} messages/s, ${Math.round(bytes / 1e6 / seconds)} MB/s`
  console.log(`log ${log} from its beginning: ${end} messages, ${perSecond}`)
}

/** Each message says which one it is. */
async function readSamples(store: LogStore, size: number): Promise<void> {
  const logs = store.logs()
  const startedMs = performance.now()
  for (let sample = 0; sample < SAMPLES; sample++) {
    const n = sample % logs.length
    const { end } = store.bounds(logs[n]!)
    const offset = Math.floor((sample / SAMPLES) * (end / size)) * size
    const [batch] = await store.read(logs[n]!, offset, 1)
    if (batch === undefined) throw new Error(`nothing is at offset ${offset} of log ${logs[n]}`)
    const expected = (offset / size) * logs.length * size + n * size
    const found = new DataView(batch.bytes.buffer, batch.bytes.byteOffset + BATCH_HEADER_BYTES).getFloat64(FIRST_VALUE)
    if (found !== expected) throw new Error(`message ${found} is where ${expected} should be`)
  }
  console.log(`${SAMPLES} reads at random in ${Math.round(performance.now() - startedMs)} ms`)
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

function relieved(store: LogStore, resolve: () => void): void {
  const stop = store.onRelief(() => {
    stop()
    resolve()
  })
}

function committed(store: LogStore, resolve: () => void): void {
  const ticket = store.ticket()
  store.touch()
  const stop = store.onCommitted((durable) => {
    if (durable < ticket) return
    stop()
    resolve()
  })
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}
