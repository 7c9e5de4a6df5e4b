// How fast the disk is at a low rate without a broker: run in a process of its own, `node raw-latency.js DIRECTORY SECONDS`, prints JSON.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { FILE_BYTES, prefill } from './prefilled-file.ts'

export interface RawLatency {
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

const SYNC_BYTES = 4096
const SYNC_INTERVAL_MS = 1

/** @param seconds of each of the two */
export function measureRawLatency(directory: string, seconds: number): RawLatency {
  const file = join(directory, 'raw-latency')
  try {
    prefill(file)
    return { syncMs: syncLatency(file, seconds * 1000), groupCommitMs: groupCommitLatency(file, seconds * 1000) }
  } finally {
    rmSync(file, { force: true })
  }
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

if (process.argv[1]?.endsWith('raw-latency.js') === true) {
  process.stdout.write(JSON.stringify(measureRawLatency(process.argv[2]!, Number(process.argv[3]))))
}
