// Many messages in many logs, each of which says which one it is: how they are written, and how they are checked.
import { BATCH_HEADER_BYTES, RecordBatchBuilder, RecordReader } from '@millrace/wire'
import type { LogStore } from '../../packages/broker/dist/storage/log-store.js'

export interface Backlog {
  readonly messages: number
  readonly logCount: number
  /** Messages in a batch. Batches go to the logs in turn. */
  readonly batch: number
}

const MESSAGE_BYTES = 100
const TURN_MESSAGES_MAX = 6400
const SCAN_BYTES = 1024 * 1024
/** Where the first value begins among the records: length (2 bytes), attributes, timestamp, offset, key and value lengths. */
const FIRST_VALUE = 8

/**
 * Creates the logs and writes the messages. Resolves when all are durable.
 * @param onTurn told after each turn of the event loop how many messages were written
 */
export async function writeBacklog(
  store: LogStore,
  crc32c: (bytes: Uint8Array) => number,
  { messages, logCount, batch: size }: Backlog,
  onTurn: (written: number) => void,
): Promise<void> {
  const logs = Array.from({ length: logCount }, () => store.createLog())
  const builder = new RecordBatchBuilder(16 * 1024, crc32c)
  const value = new Uint8Array(MESSAGE_BYTES)
  const view = new DataView(value.buffer)
  // Each log gets one batch in a turn at most, and so an index entry for each batch.
  const turnMessages = Math.min(TURN_MESSAGES_MAX, logCount * size)
  let written = 0
  let inTurn = 0
  for (let batches = 0; written < messages; batches++) {
    const timestampMs = Date.now()
    for (let n = 0; n < size; n++) {
      view.setFloat64(0, written + n)
      builder.append(timestampMs, null, value)
    }
    store.append(logs[batches % logCount]!, builder.finish(), size)
    written += size
    inTurn += size
    if (inTurn < turnMessages) continue
    inTurn = 0
    await new Promise(setImmediate)
    if (store.pendingBytes > store.limits.pendingBytesHigh) await new Promise<void>((resolve) => relieved(store, resolve))
    onTurn(written)
  }
  await new Promise<void>((resolve) => committed(store, resolve))
}

/** Reads the `n`th log from its beginning. @throws Error where a message is not the one that was written there */
export async function readLog(store: LogStore, n: number, load: Backlog): Promise<{ messages: number; bytes: number }> {
  const log = store.logs()[n]!
  const { end } = store.bounds(log)
  let bytes = 0
  let offset = 0
  while (offset < end) {
    for (const batch of await store.read(log, offset, SCAN_BYTES)) {
      if (batch.baseOffset !== offset) throw new Error(`offset ${batch.baseOffset} of log ${n} follows ${offset - 1}`)
      bytes += batch.bytes.length
      const reader = new RecordReader(batch.bytes)
      while (reader.next()) {
        const { buffer, byteOffset } = reader.value!
        const found = new DataView(buffer, byteOffset).getFloat64(0)
        if (found !== numberAt(load, n, offset)) throw new Error(`message ${found} is at offset ${offset} of log ${n}`)
        offset++
      }
    }
  }
  return { messages: end, bytes }
}

/** Reads `count` batches out of all logs. @throws Error where one does not begin with the message that was written there */
export async function readSamples(store: LogStore, load: Backlog, count: number): Promise<void> {
  const logs = store.logs()
  for (let sample = 0; sample < count; sample++) {
    const n = sample % logs.length
    const { end } = store.bounds(logs[n]!)
    const offset = Math.floor((sample / count) * (end / load.batch)) * load.batch
    const [batch] = await store.read(logs[n]!, offset, 1)
    if (batch === undefined) throw new Error(`nothing is at offset ${offset} of log ${n}`)
    const found = new DataView(batch.bytes.buffer, batch.bytes.byteOffset + BATCH_HEADER_BYTES).getFloat64(FIRST_VALUE)
    if (found !== numberAt(load, n, offset)) throw new Error(`message ${found} is at offset ${offset} of log ${n}`)
  }
}

/** Which message belongs at an offset of the `n`th log. */
function numberAt({ logCount, batch }: Backlog, n: number, offset: number): number {
  return (Math.floor(offset / batch) * logCount + n) * batch + (offset % batch)
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
