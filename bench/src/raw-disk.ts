// What the disk can do without a broker: run in a process of its own, `node raw-disk.js DIRECTORY SECONDS`, prints JSON.
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface RawDisk {
  /** Write + fdatasync in chunks into a file that has its blocks already, bytes per second by chunk size. */
  readonly prefilledBytesPerSecond: Readonly<Record<string, number>>
  /** The same into a file that grows. */
  readonly growingBytesPerSecond: Readonly<Record<string, number>>
  /** fdatasync of 4 KiB into a prefilled file, 1,000 times a second. */
  readonly syncMs: Percentiles
  /**
   * The least that a message can take from when it is due until it is durable, at 1,000 a second with group commit: it waits for
   * the fdatasync under way, and for the next.
   */
  readonly groupCommitMs: Percentiles
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

const FILE_BYTES = 256 * 1024 * 1024
const CHUNKS = [64 * 1024, 1024 * 1024, 4 * 1024 * 1024]
const SYNC_BYTES = 4096
const SYNC_INTERVAL_MS = 1

export function measureRawDisk(directory: string, seconds: number): RawDisk {
  const file = join(directory, 'raw-disk')
  const perChunkMs = (seconds * 1000) / (2 * CHUNKS.length)
  try {
    const growing = CHUNKS.map((chunk) => [String(chunk), throughput(file, 'w', chunk, perChunkMs)] as const)
    prefill(file)
    const prefilled = CHUNKS.map((chunk) => [String(chunk), throughput(file, 'r+', chunk, perChunkMs)] as const)
    return {
      prefilledBytesPerSecond: Object.fromEntries(prefilled),
      growingBytesPerSecond: Object.fromEntries(growing),
      syncMs: syncLatency(file, seconds * 1000),
      groupCommitMs: groupCommitLatency(file, seconds * 1000),
    }
  } finally {
    rmSync(file, { force: true })
  }
}

function throughput(file: string, flags: string, chunkBytes: number, durationMs: number): number {
  const descriptor = openSync(file, flags)
  const chunk = new Uint8Array(chunkBytes).fill(0x6d)
  const startedMs = performance.now()
  let bytes = 0
  let elapsedMs = 0
  const bytesMax = flags === 'w' ? FILE_BYTES : Infinity
  for (; elapsedMs < durationMs && bytes < bytesMax; elapsedMs = performance.now() - startedMs) {
    writeSync(descriptor, chunk, 0, chunkBytes, bytes % FILE_BYTES)
    fdatasyncSync(descriptor)
    bytes += chunkBytes
  }
  closeSync(descriptor)
  return (bytes * 1000) / elapsedMs
}

function prefill(file: string): void {
  const descriptor = openSync(file, 'w')
  const chunk = new Uint8Array(4 * 1024 * 1024)
  for (let at = 0; at < FILE_BYTES; at += chunk.length) writeSync(descriptor, chunk, 0, chunk.length, at)
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** Duration of each write + fdatasync; the pace is kept by spinning, because timers are too coarse. */
function syncLatency(file: string, durationMs: number): Percentiles {
  const descriptor = openSync(file, 'r+')
  const block = new Uint8Array(SYNC_BYTES).fill(0x6d)
  const latencies: number[] = []
  const startedMs = performance.now()
  for (let n = 0; performance.now() - startedMs < durationMs; n++) {
    while (performance.now() < startedMs + n * SYNC_INTERVAL_MS);
    const before = performance.now()
    writeSync(descriptor, block, 0, SYNC_BYTES, (n * SYNC_BYTES) % FILE_BYTES)
    fdatasyncSync(descriptor)
    latencies.push(performance.now() - before)
  }
  closeSync(descriptor)
  return percentiles(latencies)
}

function groupCommitLatency(file: string, durationMs: number): Percentiles {
  const descriptor = openSync(file, 'r+')
  const block = new Uint8Array(SYNC_BYTES).fill(0x6d)
  const latencies: number[] = []
  const startedMs = performance.now()
  for (let n = 0; performance.now() - startedMs < durationMs; n++) {
    const dueMs = (message: number): number => startedMs + message * SYNC_INTERVAL_MS
    while (performance.now() < dueMs(latencies.length));
    const due = Math.floor((performance.now() - startedMs) / SYNC_INTERVAL_MS) + 1
    writeSync(descriptor, block, 0, SYNC_BYTES, (n * SYNC_BYTES) % FILE_BYTES)
    fdatasyncSync(descriptor)
    const now = performance.now()
    while (latencies.length < due) latencies.push(now - dueMs(latencies.length))
  }
  closeSync(descriptor)
  return percentiles(latencies)
}

function percentiles(latencies: readonly number[]): Percentiles {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

if (process.argv[1]?.endsWith('raw-disk.js') === true) {
  process.stdout.write(JSON.stringify(measureRawDisk(process.argv[2]!, Number(process.argv[3]))))
}
