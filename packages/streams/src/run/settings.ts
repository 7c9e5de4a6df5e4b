import { type ClientPlatform, MillraceError, type Millrace, platformOf, type Serializer, serializers } from '@millrace/client'
import type { FailurePolicy, StreamsOptions } from '../api.ts'
import { durationMs } from '../duration.ts'
import { MemoryStateStore, type OpenStateStore } from '../state/state-store.ts'
import type { StreamError } from '../stream-error.ts'
import { BATCH_RECORDS, KEEP_MS, LEASE_MS } from './limits.ts'

/** The options of an application, checked and completed. */
export interface Settings {
  readonly client: Millrace
  readonly platform: ClientPlatform
  readonly name: string
  readonly onFailure: FailurePolicy
  readonly onSkip: ((error: StreamError) => void) | undefined
  readonly onLoss: 'fail' | 'continue'
  readonly partitions: number | undefined
  readonly keepMs: number
  readonly batchRecords: number
  readonly leaseMs: number
  readonly serializer: Serializer
  readonly openStore: OpenStateStore
}

/** @throws MillraceError `bad_request` */
export function settingsOf(client: Millrace, name: string, options: StreamsOptions): Settings {
  const { batchRecords = BATCH_RECORDS, partitions } = options
  checkCount('batchRecords', batchRecords)
  if (partitions !== undefined) checkCount('partitions', partitions)
  return {
    client,
    platform: platformOf(client),
    name,
    onFailure: options.onFailure ?? 'fail',
    onSkip: options.onSkip,
    onLoss: options.onLoss ?? 'fail',
    partitions,
    keepMs: durationMs(options.keep ?? KEEP_MS, '`keep`', 1),
    batchRecords,
    leaseMs: durationMs(options.lease ?? LEASE_MS, '`lease`', 1000),
    serializer: options.serializer ?? serializers.messagePack,
    openStore: options.store ?? (() => new MemoryStateStore()),
  }
}

function checkCount(what: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 1) return
  throw new MillraceError('bad_request', `\`${what}\` is a whole number from 1 on, not ${count}.`)
}
