import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Decompress } from '../ports/decompress.ts'
import type { MemoryGauge } from '../ports/memory.ts'
import type { Platform } from '../ports/platform.ts'
import type { LogId, LogStore } from '../storage/log-store.ts'
import type { Broker } from './broker.ts'
import { BROKER_ENTITY, type BrokerDefinition } from './broker-identity.ts'
import { CommittedWaiters } from './committed-waiters.ts'
import { CoreBroker } from './core-broker.ts'
import { Producer } from './dedup/producer.ts'
import { type Definition, DefinitionCell } from './definitions.ts'
import type { DeliveryState } from './delivery/delivery-state.ts'
import { StoredDocuments } from './documents/stored-documents.ts'
import type { Restored, Topic } from './entities.ts'
import { refuseCompressed } from './plain-batches.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'
import { groupDefaults, type GroupSettings } from './groups/limits.ts'
import { readOffsets } from './groups/read-offsets.ts'
import { type LimitSettings, STATE_LOG_BYTES_FLOOR, brokerLimits } from './limits.ts'
import { transactionDefaults } from './producer-transactions/limits.ts'
import type { TransactionLimits } from './producer-transactions/producer-transactions.ts'
import { TransactionCell } from './producer-transactions/transaction-cell.ts'
import { TransactionCoordinator } from './producer-transactions/transaction-coordinator.ts'
import { newRandomId } from './random-id.ts'
import { type AutoCreate, Registry } from './registry.ts'
import { type RecoveredDefinition, restoreRouter } from './router/restore-router.ts'
import { newShard } from './shard.ts'
import { SubscriptionGroupRegistry } from './subscription-groups/subscription-group-registry.ts'
import { LOADED_BYTES_MAX } from './schedule/limits.ts'
import { readCellLog, type RecoveredCells } from './state/read-cell-log.ts'
import { type RecoveredEntity, type RecoveredPart, readStateLog } from './state/read-state-log.ts'
import { CompactionRounds, compactorDefaults } from './topics/compaction.ts'
import { CoreQuotas } from './quotas/core-quotas.ts'
import type { CompactorLimits } from './topics/compactor.ts'
import { RetentionRounds } from './topics/retention.ts'
import { type RecoveredCell, type StateCell, StateLog } from './state/state-log.ts'

export interface BrokerOptions {
  readonly store: LogStore
  readonly platform: Platform
  readonly crc32c: Crc32c
  /** Without it, compressed batches are refused. */
  readonly decompress?: Decompress
  /** Without it there is always enough memory. */
  readonly memory?: MemoryGauge
  readonly limits?: LimitSettings
  /** What is created on first use by those who ask for it. By default everything, topics with one partition. */
  readonly autoCreate?: Partial<AutoCreate>
  readonly compaction?: Partial<CompactorLimits>
  readonly groups?: Partial<GroupSettings>
  readonly transactions?: Partial<TransactionLimits>
  /** Told of what an operator should know. */
  readonly onWarning?: (message: string) => void
}

/**
 * Opens the broker over a store, with all that it held when it was last used.
 * @throws MillraceError `data_corrupt`, `data_unusable`
 */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const { store, platform, crc32c } = options
  const log = store.logs()[0] ?? store.createLog()
  const recovered = await readStateLog(store, log)
  const known = recoveredIdentity(recovered.entities)
  const id = known?.id ?? newRandomId(platform.random)
  const own: OwnParts = { ...known }
  const identity = new DefinitionCell(BROKER_ENTITY, () => ({ ...own, kind: 'broker', id }))
  const stateLog = new StateLog(store, log, crc32c, options.limits?.stateLogBytesFloor ?? STATE_LOG_BYTES_FLOOR)
  const shard = newShard({
    id,
    store,
    platform,
    crc32c,
    decompress: options.decompress ?? refuseCompressed,
    memory: options.memory,
    limits: brokerLimits(options.limits ?? {}, store.limits),
    stateLog,
    scheduled: recovered.schedule.content,
    scheduledBytesMax: options.limits?.scheduledBytesMax ?? LOADED_BYTES_MAX,
    warn: options.onWarning ?? ((): void => {}),
    onProducersLog: (created) => keep({ producers: created }),
    onOffsetsLog: (created) => keep({ offsets: created }),
  })
  const keep = (part: OwnParts): void => {
    Object.assign(own, part)
    stateLog.snapshot(identity)
  }
  const autoCreate = { queues: true, topics: true, subscriptions: true, partitions: 1, ...options.autoCreate }
  const registry = new Registry(shard, autoCreate)
  const subscriptionGroups = new SubscriptionGroupRegistry(shard, registry, autoCreate.subscriptions)
  const documents = new StoredDocuments(shard, () => registry.newId())
  registry.reserveIds(recovered.highestId)
  stateLog.adopt([
    ...restore(registry, subscriptionGroups, documents, recovered.entities, identity),
    ...(recovered.schedule.rebuiltFrom < 0 ? [] : [recoveredCell(shard.schedule.cell, recovered.schedule)]),
  ])
  registry.router.restored()
  const targets = [...registry.queues.values(), ...registry.topics.values()].map(({ target }) => target)
  for (const target of [...targets, ...registry.router.scheduleTargets()]) shard.schedule.restoreTarget(target)
  for (const ids of registry.messageIds()) await ids.load()
  if (own.producers !== undefined) shard.producers.restore(await readProducers(store, own.producers))
  if (own.offsets !== undefined) shard.offsets.restore(await readOffsets(store, own.offsets))
  const waiters = new CommittedWaiters(store)
  const groups = new GroupCoordinator(shard, registry, { ...groupDefaults, ...options.groups }, (ticket) => waiters.wait(ticket))
  const transactionLimits = { ...transactionDefaults, ...options.transactions }
  const transactions = new TransactionCoordinator(shard, groups, transactionLimits, (created) => keep({ transactions: created }))
  if (own.transactions !== undefined) transactions.restore(await readTransactions(store, own.transactions), targets)
  const upkeep = [
    shard.expiry,
    new RetentionRounds(shard, registry.topics, waiters),
    new CompactionRounds(shard, registry.topics, { ...compactorDefaults, ...options.compaction }),
  ]
  registry.deleteTransientQueues()
  shard.schedule.start()
  transactions.start()
  const quotas = new CoreQuotas(platform.clock, own.quotas ?? [], (specs) => {
    keep({ quotas: specs })
    store.touch()
    return store.ticket()
  })
  const broker = new CoreBroker(shard, registry, groups, subscriptionGroups, transactions, quotas, documents, waiters, upkeep)
  if (known === undefined) {
    stateLog.snapshot(identity)
    // Nobody may hear of an id that a crash would change.
    await broker.whenCommitted(store.ticket())
  }
  return broker
}

/** What the broker's definition holds besides its id. */
type OwnParts = Pick<BrokerDefinition, 'producers' | 'offsets' | 'transactions' | 'quotas'>

function readProducers(store: LogStore, log: LogId): Promise<RecoveredCells<Producer>> {
  return readCellLog(store, log, 'the log of producers', (entity, from) => Producer.readSnapshot(entity, from))
}

function readTransactions(store: LogStore, log: LogId): Promise<RecoveredCells<TransactionCell>> {
  return readCellLog(store, log, 'the log of transactions', (entity, from) => TransactionCell.readSnapshot(entity, from))
}

function recoveredIdentity(entities: ReadonlyMap<number, RecoveredEntity>): BrokerDefinition | undefined {
  const part = entities.get(BROKER_ENTITY)?.definition
  if (part === undefined) return undefined
  const definition = parse(part.content)
  if (definition.kind !== 'broker')
    throw new MillraceError('data_corrupt', 'what the state log says of the broker is something else')
  return definition
}

/** Topics first: subscriptions refer to them. */
function restore(
  registry: Registry,
  subscriptionGroups: SubscriptionGroupRegistry,
  documents: StoredDocuments,
  entities: ReadonlyMap<number, RecoveredEntity>,
  identity: DefinitionCell,
): RecoveredCell[] {
  const cells: RecoveredCell[] = []
  const topics = new Map<number, Topic>()
  const found: RecoveredDefinition<RecoveredEntity>[] = []
  for (const entity of entities.values()) {
    if (entity.definition === undefined) continue
    const definition = parse(entity.definition.content)
    found.push({ entity, definition })
    if (definition.kind !== 'topic') continue
    cells.push(recoveredCell(registry.restoreTopic(entity.id, definition), entity.definition))
    topics.set(entity.id, registry.topic(definition.name))
  }
  for (const { entity, definition } of found) {
    if (definition.kind === 'queue') {
      cells.push(...recoveredCells(registry.restoreQueue(entity.id, definition, statesOf(entity)), entity))
    } else if (definition.kind === 'subscription') {
      const topic = topics.get(definition.topic)
      if (topic === undefined) throw new MillraceError('data_corrupt', `the topic of subscription ${definition.name} is missing`)
      cells.push(...recoveredCells(registry.restoreSubscription(entity.id, definition, topic, statesOf(entity)), entity))
    } else if (definition.kind === 'subscription-group') {
      cells.push(recoveredCell(subscriptionGroups.restore(entity.id, definition), entity.definition!))
    } else if (definition.kind === 'document') {
      cells.push(recoveredCell(documents.restore(entity.id, definition), entity.definition!))
    } else if (definition.kind === 'broker') cells.push(recoveredCell(identity, entity.definition!))
  }
  for (const [cell, entity] of restoreRouter(registry, found)) cells.push(recoveredCell(cell, entity.definition!))
  return cells
}

/** Delivery state by partition. */
function statesOf({ cursors }: RecoveredEntity): ReadonlyMap<number, DeliveryState> {
  return new Map([...(cursors ?? [])].map(([part, state]) => [part - 1, state.content]))
}

function recoveredCells({ cell, cursors }: Restored, entity: RecoveredEntity): RecoveredCell[] {
  const cells = [recoveredCell(cell, entity.definition!)]
  for (const cursor of cursors) {
    const part = entity.cursors?.get(cursor.part)
    if (part !== undefined) cells.push(recoveredCell(cursor, part))
  }
  return cells
}

function parse(text: string): Definition {
  try {
    return JSON.parse(text) as Definition
  } catch (error) {
    throw new MillraceError('data_corrupt', 'a definition in the state log is not JSON', { cause: error })
  }
}

function recoveredCell(cell: StateCell, part: RecoveredPart<unknown>): RecoveredCell {
  return { cell, rebuiltFrom: part.rebuiltFrom, snapshotBytes: part.snapshotBytes }
}
