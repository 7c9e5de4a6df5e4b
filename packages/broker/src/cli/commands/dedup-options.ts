import type { DedupPolicy } from '@millrace/client'
import type { Command } from 'commander'
import { formatCount, formatDuration } from '../output/figures.ts'
import { orNone, parseCount, parseDurationMs } from '../quantities.ts'
import { usageError } from '../failure.ts'

/** The dedup window of a queue or topic, as options. */
export interface DedupOptions {
  readonly dedupWindow?: number | 'none'
  readonly dedupEntries?: number
}

export function addDedupOptions(command: Command): Command {
  return command
    .option(
      '--dedup-window <duration>',
      'a message whose message-id header was published within so long is not stored again',
      orNone(parseDurationMs),
    )
    .option('--dedup-entries <n>', 'message ids that are remembered at most (default 1,000,000)', parseCount)
}

/** @returns what to change. @throws CommandError for a number of entries without a window */
export function dedupPolicy({ dedupWindow, dedupEntries }: DedupOptions, previous?: DedupPolicy): { dedup?: DedupPolicy } {
  if (dedupWindow === undefined && dedupEntries === undefined) return {}
  if (dedupWindow === 'none') return { dedup: { windowMs: 0 } }
  const windowMs = dedupWindow ?? previous?.windowMs
  if (windowMs === undefined) throw usageError('--dedup-entries needs --dedup-window.')
  const entriesMax = dedupEntries ?? previous?.entriesMax
  return { dedup: { windowMs, ...(entriesMax === undefined ? {} : { entriesMax }) } }
}

export function dedupField(dedup: DedupPolicy | undefined): readonly [string, string] {
  if (dedup === undefined) return ['dedup window', 'none']
  const entries = dedup.entriesMax === undefined ? '' : `, at most ${formatCount(dedup.entriesMax)} ids`
  return ['dedup window', `${formatDuration(dedup.windowMs)}${entries}`]
}
