import { closeSync, existsSync, fdatasyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { formatBytes, formatMilliseconds } from '../output/figures.ts'
import { fail, ok, warn } from './check.ts'
import type { Finding } from './check.ts'

const FREE_NEEDED_BYTES: number = 1024 ** 3
const FREE_SHARE_WARN = 0.1
const SYNC_SAMPLES = 200
const SYNC_BYTES = 4096
const SYNC_WARN_MS = 10
/** No device that keeps its promise is this fast: something on the way ignores the flush. */
const SYNC_IMPLAUSIBLE_MS = 0.02

/** Rights, space and speed of the data directory, or of where it would be created. */
export function checkDataDirectory(path: string): readonly Finding[] {
  const data = resolve(path)
  const directory = nearestExisting(data)
  if (!statSync(directory).isDirectory()) {
    return [fail('data directory', `${directory} is a file`, 'Move it away, or choose another place with --data.')]
  }
  const latencies = trySync(directory)
  if (latencies instanceof Error) {
    return [
      fail(
        'data directory',
        latencies.message,
        `Give this user the right to write to ${directory}, or choose another place with --data.`,
      ),
    ]
  }
  const found = directory === data ? data : `${data} will be created`
  return [ok('data directory', found), spaceFinding(directory), syncFinding(latencies)]
}

function spaceFinding(directory: string): Finding {
  const { bavail, blocks, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const found = `${formatBytes(free)} free of ${formatBytes(blocks * bsize)}`
  if (free < FREE_NEEDED_BYTES) return fail('disk space', found, 'Free some: a broker without space refuses messages.')
  if (bavail < blocks * FREE_SHARE_WARN) return warn('disk space', found, 'Free some, or set retention limits on topics.')
  return ok('disk space', found)
}

function syncFinding(latenciesMs: readonly number[]): Finding {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const p50 = sorted[Math.floor(sorted.length * 0.5)]!
  const p99 = sorted[Math.floor(sorted.length * 0.99)]!
  const found = `fdatasync of 4 KiB takes ${formatMilliseconds(p50)} (p50), ${formatMilliseconds(p99)} (p99)`
  if (p50 < SYNC_IMPLAUSIBLE_MS) {
    return warn(
      'disk sync',
      found,
      'That is faster than a disk: the data directory may be in memory, and a power failure would lose messages.',
    )
  }
  if (p50 > SYNC_WARN_MS)
    return warn(
      'disk sync',
      found,
      'Each confirmed publish waits for this; use a faster disk, or `--durability os` if you may lose messages.',
    )
  return ok('disk sync', found)
}

/** Overwrites one block again and again, as a commit log does. @returns milliseconds per sync, or why it cannot be done */
function trySync(directory: string): readonly number[] | Error {
  const file = join(directory, `.millrace-doctor-${process.pid}`)
  let descriptor: number
  try {
    descriptor = openSync(file, 'wx')
  } catch (error) {
    return error as Error
  }
  try {
    const block = new Uint8Array(SYNC_BYTES).fill(1)
    return Array.from({ length: SYNC_SAMPLES }, () => {
      const before = performance.now()
      writeSync(descriptor, block, 0, block.length, 0)
      fdatasyncSync(descriptor)
      return performance.now() - before
    })
  } catch (error) {
    return error as Error
  } finally {
    closeSync(descriptor)
    rmSync(file, { force: true })
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path))
}
