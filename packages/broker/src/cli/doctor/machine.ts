import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatCount, formatMilliseconds } from '../output/figures.ts'
import { fail, ok, warn } from './check.ts'
import type { Finding } from './check.ts'

const FILES_WANTED = 65_536
const FILES_NEEDED = 1_024
const EARLIEST_CLOCK_MS: number = Date.parse('2024-01-01')
const SAMPLE_MS = 500
const LAG_WARN_MS = 20
const DRIFT_WARN_MS = 50

export function checkNode(): Finding {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
  const found = `Node ${process.versions.node} on ${process.platform} ${process.arch}`
  if (major > 20 || (major === 20 && minor >= 19)) return ok('node', found)
  return fail('node', found, 'Install Node 20.19 or newer: https://nodejs.org.')
}

/** Every connection takes a file descriptor. */
export function checkOpenFiles(): Finding {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = report.userLimits?.open_files?.soft
  if (soft === undefined) return ok('open files', 'this system sets no limit')
  if (soft === 'unlimited') return ok('open files', 'no limit')
  const limit = Number(soft)
  const found = `at most ${formatCount(limit)}`
  const advice = `Raise it with \`ulimit -n ${FILES_WANTED}\`, or LimitNOFILE= in a systemd unit: every connection takes one.`
  if (limit < FILES_NEEDED) return fail('open files', found, advice)
  return limit < FILES_WANTED ? warn('open files', found, advice) : ok('open files', found)
}

/** Samples for half a second how late this process's timers are, and whether the wall clock is being stepped. */
export async function checkClockAndLag(): Promise<readonly Finding[]> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const wallBefore = Date.now()
  const monotonicBefore = performance.now()
  await sleep(SAMPLE_MS)
  const driftMs = Math.abs(Date.now() - wallBefore - (performance.now() - monotonicBefore))
  delay.disable()
  return [clockFinding(driftMs), lagFinding(delay.percentile(99) / 1e6)]
}

function clockFinding(driftMs: number): Finding {
  const now = new Date()
  const advice = 'Synchronise it (systemd-timesyncd, chrony): timestamps and retention by age depend on it.'
  if (now.getTime() < EARLIEST_CLOCK_MS) return fail('clock', `it says ${now.toISOString()}`, `The clock is wrong. ${advice}`)
  if (driftMs > DRIFT_WARN_MS)
    return warn('clock', `it was stepped by ${formatMilliseconds(driftMs)} within half a second`, advice)
  return ok('clock', now.toISOString())
}

function lagFinding(lagMs: number): Finding {
  const found = `timers are ${formatMilliseconds(lagMs)} late (p99)`
  if (lagMs < LAG_WARN_MS) return ok('cpu', found)
  return warn('cpu', found, 'Other programs keep the processor busy: expect higher latencies, or give the broker more of it.')
}
