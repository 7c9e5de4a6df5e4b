/** Publishes and settles that are kept or lost together: everything is checked first, then applied into one commit. */
import { batchRecordCount, namesProducer, RecordReader } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Destination, Published, TransactionAction } from '../broker.ts'
import type { GroupCoordinator, PreparedOffsets } from '../groups/group-coordinator.ts'
import type { QueueLimit } from '../delivery/queue-limit.ts'
import { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { checkSettles, settleBytes } from './settles.ts'
import { APPEND_BYTES, CANCEL_BYTES, MULTICAST_DESTINATIONS_MAX, SHARER_BYTES, TRANSACTION_ACTIONS_MAX } from './limits.ts'

/** One batch on its way to one log, or as one copy to several. */
interface Write {
  readonly batch: Uint8Array
  readonly places: readonly Place[]
}

interface Place {
  readonly target: PublishTarget
  readonly partition: number
}

/**
 * @returns for each action where its batch went: one entry for a publish, one for each destination named by a multicast, none for the others
 * @throws before anything is changed: see `Broker.transact`
 */
export function transact(
  shard: Shard,
  groups: GroupCoordinator,
  actions: readonly TransactionAction[],
): readonly (readonly Published[])[] {
  if (actions.length > TRANSACTION_ACTIONS_MAX) {
    throw new MillraceError(
      'limit_reached',
      `a transaction has at most ${TRANSACTION_ACTIONS_MAX} actions, not ${actions.length}: make it smaller`,
    )
  }
  const settles = actions.filter((action) => action.kind === 'settle')
  checkSettles(settles)
  const cancels = actions.filter((action) => action.kind === 'cancel')
  checkCancels(shard, cancels)
  const writes = actions.map((action) => (isWrite(action) ? checkedWrite(shard, action) : undefined))
  checkLimits(writes)
  const offsets = actions.map((action) =>
    action.kind === 'offsets' ? groups.prepareOffsets(action.group, action.offsets, action.by) : undefined,
  )
  let bytes = cancels.length * CANCEL_BYTES
  for (const write of writes) if (write !== undefined) bytes += writeBytes(write)
  for (const settle of settles) bytes += settleBytes(settle)
  for (const prepared of offsets) bytes += prepared?.bytes ?? 0
  shard.store.reserve(bytes)
  return apply(shard, actions, writes, offsets)
}

/** Nothing here can fail: what could was checked, and there is room for all of it in the open commit. */
function apply(
  shard: Shard,
  actions: readonly TransactionAction[],
  writes: readonly (Write | undefined)[],
  offsets: readonly (PreparedOffsets | undefined)[],
): readonly (readonly Published[])[] {
  const { cycle, store } = shard
  const ticket = store.ticket()
  cycle.together = true
  const places = actions.map((action, n) => {
    if (isWrite(action)) return published(action, writes[n]!, append(shard, writes[n]!))
    if (action.kind === 'offsets') {
      offsets[n]!.set()
      return []
    }
    if (action.kind === 'cancel') {
      shard.schedule.cancel(action.id)
      return []
    }
    const { consumer, partition, first, last, outcome, attempt } = action
    consumer.settle(partition, first, last, outcome, attempt)
    return []
  })
  cycle.together = false
  assert(store.ticket() === ticket, 'a transaction is one commit')
  cycle.bound()
  // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
  store.touch()
  return places
}

// ---- checks ---------------------------------------------------------------------------------------------------------

type WriteAction = Extract<TransactionAction, { kind: 'publish' | 'multicast' }>

function isWrite(action: TransactionAction): action is WriteAction {
  return action.kind === 'publish' || action.kind === 'multicast'
}

function checkCancels(shard: Shard, cancels: readonly Extract<TransactionAction, { kind: 'cancel' }>[]): void {
  const ids = new Set<number>()
  for (const { id } of cancels) {
    if (ids.has(id)) throw new MillraceError('bad_request', `the transaction cancels scheduled message ${id} twice`)
    ids.add(id)
    if (shard.schedule.targetOf(id) !== undefined) continue
    throw new MillraceError(
      'stale_delivery',
      `scheduled message ${id} does not wait (any more): it was published or cancelled; nothing of the transaction was done`,
    )
  }
}

function checkedWrite(shard: Shard, action: WriteAction): Write {
  const { batch } = action
  if (action.kind === 'publish') {
    const target = targetOf(action.to)
    const partition = target.prepare(action.partition, batch)
    checkProducer(batch)
    return { batch, places: [{ target, partition }] }
  }
  const targets = distinct(action.to)
  const bytesMax = shard.store.limits.batchBytesMax - targets.length * SHARER_BYTES
  if (batch.length > bytesMax) {
    throw new MillraceError(
      'record_too_large',
      `a batch of ${batch.length} bytes for ${targets.length} destinations is larger than the limit of ${bytesMax}`,
    )
  }
  // The records are checked once, by the destination that asks most of them.
  const strictest = targets.find((target) => target.keyed) ?? targets[0]!
  strictest.check(batch)
  checkProducer(batch)
  const key = firstKey(batch)
  const places = targets.map((target) => {
    target.accepts(batch.length)
    return { target, partition: target.partitionOrAny(target.partitionFor(key)) }
  })
  return { batch, places }
}

/** What a transaction publishes is not numbered: of a producer's sequence it would be unknown whether it came. */
function checkProducer(batch: Uint8Array): void {
  if (!namesProducer(batch)) return
  throw new MillraceError(
    'bad_request',
    'a batch of an idempotent producer cannot be part of a transaction: send it without producer',
  )
}

/** Whether queues with limits take all that is for them together. */
function checkLimits(writes: readonly (Write | undefined)[]): void {
  const sums = new Map<string, { readonly limit: QueueLimit; records: number; bytes: number }>()
  for (const write of writes) {
    for (const { target } of write?.places ?? []) {
      if (target.limit === undefined) continue
      const address = addressOf(target)
      const sum = sums.get(address) ?? { limit: target.limit, records: 0, bytes: 0 }
      sum.records += batchRecordCount(write!.batch)
      sum.bytes += write!.batch.length
      sums.set(address, sum)
    }
  }
  for (const { limit, records, bytes } of sums.values()) limit.check(records, bytes)
}

function distinct(destinations: readonly Destination[]): PublishTarget[] {
  if (destinations.length === 0) throw new MillraceError('bad_request', 'a multicast needs at least one destination')
  if (destinations.length > MULTICAST_DESTINATIONS_MAX) {
    throw new MillraceError(
      'limit_reached',
      `a multicast has at most ${MULTICAST_DESTINATIONS_MAX} destinations, not ${destinations.length}: publish to a topic instead, or split the list`,
    )
  }
  const targets = new Map<string, PublishTarget>()
  for (const destination of destinations) targets.set(addressOf(destination), targetOf(destination))
  return [...targets.values()]
}

function targetOf(destination: Destination): PublishTarget {
  assert(destination instanceof PublishTarget, 'a destination comes from the broker that it is used with')
  return destination
}

function addressOf(destination: Destination): string {
  return `${destination.kind}:${destination.name}`
}

function firstKey(batch: Uint8Array): Uint8Array | null {
  const reader = new RecordReader(batch)
  return reader.next() ? reader.key : null
}

function writeBytes({ batch, places }: Write): number {
  let bytes = batch.length + APPEND_BYTES + places.length * SHARER_BYTES
  // Where duplicates are left out, there is no copy to share.
  if (leavesOut(places)) for (const { target } of places) bytes += batch.length + APPEND_BYTES + target.idBytes(batch)
  return bytes
}

/** Whether some of them may have the records of a batch already. */
function leavesOut(places: readonly Place[]): boolean {
  return places.some(({ target }) => target.ids !== undefined)
}

// ---- changes --------------------------------------------------------------------------------------------------------

/** @returns the base offset for each place */
function append(shard: Shard, { batch, places }: Write): number[] {
  if (leavesOut(places)) return places.map(({ target, partition }) => target.publishNew(partition, batch))
  const records = batchRecordCount(batch)
  const logs = places.map(({ target, partition }) => target.logOf(partition))
  const bases = shard.store.appendShared(logs, batch, records)
  places.forEach(({ target, partition }, n) => target.published(partition, bases[n]!, batch, records))
  return bases
}

function published(action: WriteAction, { places }: Write, bases: readonly number[]): Published[] {
  const at = places.map(({ partition }, n) => ({ partition, baseOffset: bases[n]! }))
  if (action.kind === 'publish') return at
  const byAddress = new Map(places.map(({ target }, n) => [addressOf(target), at[n]!]))
  return action.to.map((destination) => byAddress.get(addressOf(destination))!)
}
