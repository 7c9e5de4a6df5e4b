import { MIB } from '../base/units.ts'
import type { Broker } from '../core/broker.ts'
import { openBroker } from '../core/open-broker.ts'
import { crc32c } from '../engines/disk/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import type { Platform } from '../ports/platform.ts'
import { CommitWaiters } from '../protocols/commit-waiters.ts'
import type { LogStore } from '../storage/log-store.ts'
import { openLogStore } from '../storage/open-log-store.ts'
import type { Config } from './config/config.ts'
import { decompress } from './decompress/decompress.ts'
import type { Log } from './log/log.ts'
import type { MemoryWatch } from './memory-watch.ts'

/** A broker without doors: journal, store and façade. */
export interface Core {
  readonly broker: Broker
  readonly store: LogStore
  readonly commits: CommitWaiters
  /** Resolves, with the cause, when the journal failed: the process must be started again to recover. */
  readonly failed: Promise<Error>
  /** Commits, writes a checkpoint and releases the data. */
  close(): Promise<void>
}

/** Of the journal, whatever is configured. */
const JOURNAL_BATCH_BYTES_MIN: number = 24 * MIB

export type CoreConfig = Pick<Config, 'engine' | 'data' | 'durability' | 'autoCreate' | 'limits' | 'groups' | 'transactions'>

/** @param memory whose process this is @throws MillraceError `data_in_use`, `data_unusable`, `data_corrupt` */
export async function openCore(config: CoreConfig, platform: Platform, log: Log, memory?: MemoryWatch): Promise<Core> {
  const onWarning = (message: string): void => log.warn('broker.warning', message)
  const { limits, autoCreate: create } = config
  const journal = await openJournal(config, onWarning)
  try {
    const store = await openLogStore({ journal, platform, crc32c, limits: storeLimits(limits) })
    const broker = await openBroker({
      store,
      platform,
      crc32c,
      decompress,
      ...(memory === undefined ? {} : { memory }),
      limits: brokerLimits(limits),
      groups: config.groups,
      transactions: config.transactions,
      autoCreate: { queues: create, topics: create, subscriptions: create },
      onWarning,
    })
    const commits = new CommitWaiters(broker)
    return {
      broker,
      store,
      commits,
      failed: new Promise((resolve) => store.onFailed(resolve)),
      close: async () => {
        memory?.close()
        await broker.close()
        commits.close()
        await store.close()
        await journal.close()
      },
    }
  } catch (error) {
    memory?.close()
    await journal.close()
    throw error
  }
}

async function openJournal(config: CoreConfig, onWarning: (message: string) => void): Promise<Journal> {
  const { engine, data, durability, limits } = config
  // The store uses three quarters of it for one batch.
  const batchBytesMax = Math.max(JOURNAL_BATCH_BYTES_MIN, Math.ceil((limits.batchBytesMax * 4) / 3))
  if (engine === 'memory') {
    const { openMemoryJournal } = await import('../engines/memory/index.ts')
    return openMemoryJournal({ batchBytesMax })
  }
  const { openDiskJournal } = await import('../engines/disk/index.ts')
  return openDiskJournal({ directory: data, durability, batchBytesMax, onWarning })
}

function storeLimits(limits: Config['limits']): Partial<LogStore['limits']> {
  const { batchBytesMax, commitBytesMax, pendingBytesHigh, pendingBytesLow, tailCacheBytes, checkpointBytes } = limits
  return { batchBytesMax, commitBytesMax, pendingBytesHigh, pendingBytesLow, tailCacheBytes, checkpointBytes }
}

function brokerLimits(limits: Config['limits']): Partial<Broker['limits']> {
  const { partitionsMax, queuesMax, inFlightPerConsumerMax } = limits
  return { partitionsMax, queuesMax, inFlightPerConsumerMax }
}
