import { MillraceError } from '../../base/errors.ts'
import type { LogId } from '../../storage/log-store.ts'
import type { DedupPolicy } from '../broker.ts'
import { checkKeys, positive } from '../settings.ts'
import { ENTRIES_MAX, ENTRIES_MAX_DEFAULT, WINDOW_MS_MAX } from './limits.ts'

export interface CheckedDedup {
  readonly windowMs: number
  readonly entriesMax: number
}

/** As it is stored in a definition. */
export interface DedupDefinition extends CheckedDedup {
  /** Where the ids are. */
  readonly log: LogId
}

/** @returns undefined for "off". @throws MillraceError `bad_request` */
export function checkDedup(dedup: DedupPolicy | undefined): CheckedDedup | undefined {
  if (dedup === undefined) return undefined
  checkKeys('dedup', dedup, ['windowMs', 'entriesMax'])
  if (dedup.windowMs === undefined) throw new MillraceError('bad_request', 'dedup needs windowMs: 0 switches it off')
  const entriesMax =
    dedup.entriesMax === undefined ? ENTRIES_MAX_DEFAULT : positive('dedup.entriesMax', dedup.entriesMax, ENTRIES_MAX)
  if (dedup.windowMs === 0) return undefined
  return { windowMs: positive('dedup.windowMs', dedup.windowMs, WINDOW_MS_MAX), entriesMax }
}
