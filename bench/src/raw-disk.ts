// What the disk can do without a broker: run in a process of its own, `node raw-disk.js DIRECTORY SECONDS`, prints JSON.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { FILE_BYTES, prefill } from './prefilled-file.ts'

export interface RawDisk {
  /** Write + fdatasync in chunks into a file that has its blocks already, bytes per second by chunk size. */
  readonly prefilledBytesPerSecond: Readonly<Record<string, number>>
  /** The same into a file that grows. */
  readonly growingBytesPerSecond: Readonly<Record<string, number>>
}

const CHUNKS = [64 * 1024, 1024 * 1024, 4 * 1024 * 1024]

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

if (process.argv[1]?.endsWith('raw-disk.js') === true) {
  process.stdout.write(JSON.stringify(measureRawDisk(process.argv[2]!, Number(process.argv[3]))))
}
