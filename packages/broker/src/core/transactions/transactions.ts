/** Publishes and settles that are kept or lost together: everything is checked first, then applied into one commit. */
import { batchRecordCount, destinationAddress, namesProducer } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Destination, Published, TransactionAction } from '../broker.ts'
import type { GroupCoordinator, PreparedOffsets } from '../groups/group-coordinator.ts'
import type { QueueLimit } from '../delivery/queue-limit.ts'
import { type AppendedPart, placesOf } from '../priorities/places-of.ts'
import { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { CoreRoute } from '../router/core-route.ts'
import { ExchangeTarget, NOT_TOLD } from '../router/exchange-target.ts'
import type { PreparedPublish } from '../schedule/schedule-target.ts'
import { checkSharedSize } from '../shared-append.ts'
import { appendWrite, type Write, writeBytes, writesTo } from '../writes.ts'
import { checkSettles, settleBytes } from './settles.ts'
import { CANCEL_BYTES, MULTICAST_DESTINATIONS_MAX, TRANSACTION_ACTIONS_MAX } from './limits.ts'

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
  const publishes = actions.map((action) => (isWrite(action) ? checkedWrites(shard, action) : undefined))
  const writes = publishes.flatMap((publish) => (publish === undefined ? [] : [...publish.writes, ...publish.routed]))
  checkLimits(writes)
  const waits = publishes.flatMap((publish) => publish?.waits ?? [])
  const offsets = actions.map((action) =>
    action.kind === 'offsets' ? groups.prepareOffsets(action.group, action.offsets, action.by) : undefined,
  )
  let bytes = cancels.length * CANCEL_BYTES
  for (const write of writes) bytes += writeBytes(write)
  for (const wait of waits) bytes += wait.bytes
  for (const settle of settles) bytes += settleBytes(settle)
  for (const prepared of offsets) bytes += prepared?.bytes ?? 0
  shard.store.reserve(bytes)
  return apply(shard, actions, publishes, offsets)
}

/** Nothing here can fail: what could was checked, and there is room for all of it in the open commit. */
function apply(
  shard: Shard,
  actions: readonly TransactionAction[],
  publishes: readonly (CheckedPublish | undefined)[],
  offsets: readonly (PreparedOffsets | undefined)[],
): readonly (readonly Published[])[] {
  const { cycle, store } = shard
  const ticket = store.ticket()
  cycle.together = true
  const places = actions.map((action, n) => {
    if (isWrite(action)) {
      const { writes, routed, waits, count } = publishes[n]!
      const appended = writes.map((write) => appendWrite(shard, write))
      for (const write of routed) appendWrite(shard, write)
      for (const wait of waits) wait.append()
      count()
      return published(shard, action, writes, appended)
    }
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

type WriteAction = Extract<TransactionAction, { kind: 'publish' | 'multicast' | 'route' }>

function isWrite(action: TransactionAction): action is WriteAction {
  return action.kind === 'publish' || action.kind === 'multicast' || action.kind === 'route'
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

/** What is to be written for one action. */
interface CheckedPublish {
  /** For the topics and queues that it names. */
  readonly writes: readonly Write[]
  /** For those that exchanges lead to. */
  readonly routed: readonly Write[]
  /** For delayed exchanges, where it waits. */
  readonly waits: readonly PreparedPublish[]
  /** Has the exchanges count what they gave away. */
  readonly count: () => void
}

function checkedWrites(shard: Shard, action: WriteAction): CheckedPublish {
  const { batch } = action
  if (action.kind === 'publish') {
    if (action.to instanceof ExchangeTarget) return { writes: [], ...routedWrites(shard, action.to.routableRuns(batch)) }
    const target = targetOf(action.to)
    const stored = target.check(batch)
    const partition = target.partitionOrAny(action.partition)
    checkProducer(batch)
    const parts = target.divide(partition, stored)
    const writes = parts.map((part) => ({ batch: part.batch, places: [{ target, partition: part.partition }] }))
    return { writes, routed: [], waits: [], count: () => undefined }
  }
  if (action.kind === 'route') return { writes: [], ...routedWrites(shard, [routeRun(action)]) }
  const to = distinct(action.to)
  const targets = to.filter((destination) => !(destination instanceof ExchangeTarget)).map(targetOf)
  const exchanges = to.filter((destination) => destination instanceof ExchangeTarget)
  const runs = exchanges.flatMap((exchange) => exchange.routableRuns(batch))
  return { writes: multicastWrites(shard, targets, batch), ...routedWrites(shard, runs) }
}

/** Records of one batch that go the same way. */
interface RoutedRun {
  readonly route: CoreRoute
  readonly batch: Uint8Array
}

/** A queue that was deleted after the route was found takes nothing, and misses nothing. */
function routedWrites(shard: Shard, runs: readonly RoutedRun[]): Omit<CheckedPublish, 'writes'> {
  return {
    routed: runs.flatMap(({ route, batch }) =>
      multicastWrites(
        shard,
        route.targets.filter(({ deleted }) => !deleted),
        batch,
      ),
    ),
    waits: runs.flatMap(({ route, batch }) => route.prepareWaits(batch)),
    count: () => {
      for (const { route, batch } of runs) route.count(batchRecordCount(batch))
    },
  }
}

function routeRun({ route, batch }: Extract<TransactionAction, { kind: 'route' }>): RoutedRun {
  assert(route instanceof CoreRoute, 'a route comes from the broker that it is used with')
  return { route, batch }
}

function multicastWrites(shard: Shard, targets: readonly PublishTarget[], batch: Uint8Array): Write[] {
  if (targets.length === 0) return []
  checkSharedSize(shard, targets.length, batch)
  // The records are checked once, by the destination that asks most of them.
  const strictest = targets.find((target) => target.keyed) ?? targets[0]!
  strictest.check(batch)
  checkProducer(batch)
  const plain = shard.plain.of(batch)
  const stored = targets.some((target) => target.looksIntoBatches) ? plain : batch
  checkSharedSize(shard, targets.length, stored)
  for (const target of targets) {
    target.accepts(stored.length)
    target.levels?.check(plain)
  }
  return writesTo(targets, stored, plain)
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
function checkLimits(writes: readonly Write[]): void {
  const sums = new Map<string, { readonly limit: QueueLimit; records: number; bytes: number }>()
  for (const { batch, places } of writes) {
    for (const { target } of places) {
      if (target.limit === undefined) continue
      const address = addressOf(target)
      const sum = sums.get(address) ?? { limit: target.limit, records: 0, bytes: 0 }
      sum.records += batchRecordCount(batch)
      sum.bytes += batch.length
      sums.set(address, sum)
    }
  }
  for (const { limit, records, bytes } of sums.values()) limit.check(records, bytes)
}

function distinct(destinations: readonly Destination[]): readonly Destination[] {
  if (destinations.length === 0) throw new MillraceError('bad_request', 'a multicast needs at least one destination')
  if (destinations.length > MULTICAST_DESTINATIONS_MAX) {
    throw new MillraceError(
      'limit_reached',
      `a multicast has at most ${MULTICAST_DESTINATIONS_MAX} destinations, not ${destinations.length}: publish to a topic instead, or split the list`,
    )
  }
  return [...new Map(destinations.map((destination) => [addressOf(destination), destination])).values()]
}

function targetOf(destination: Destination): PublishTarget {
  assert(destination instanceof PublishTarget, 'a destination comes from the broker that it is used with')
  return destination
}

function addressOf(destination: Destination): string {
  return destination instanceof ExchangeTarget ? destination.address : destinationAddress(destination.kind, destination.name)
}

/** @param appended by write and place */
function published(
  shard: Shard,
  action: WriteAction,
  writes: readonly Write[],
  appended: readonly (readonly AppendedPart[])[],
): Published[] {
  const byTarget = new Map<string, AppendedPart[]>()
  for (const [n, { places }] of writes.entries()) {
    for (const [m, { target }] of places.entries()) {
      const parts = byTarget.get(addressOf(target)) ?? []
      parts.push(appended[n]![m]!)
      byTarget.set(addressOf(target), parts)
    }
  }
  if (action.kind === 'route') return []
  const to = action.kind === 'publish' ? [action.to] : action.to
  return to.map((destination) =>
    destination instanceof ExchangeTarget
      ? { partition: 0, baseOffset: NOT_TOLD }
      : placeOf(shard, action.batch, targetOf(destination), byTarget.get(addressOf(destination))!),
  )
}

function placeOf(shard: Shard, batch: Uint8Array, { levels }: PublishTarget, parts: readonly AppendedPart[]): Published {
  const { partition, base: baseOffset, duplicates } = parts[0]!
  if (parts.length === 1) return { partition, baseOffset, ...(duplicates === undefined ? {} : { duplicates }) }
  const places = placesOf(levels!.check(shard.plain.of(batch)), parts)
  return {
    partition,
    baseOffset,
    placed: places.placed,
    ...(places.duplicates.length === 0 ? {} : { duplicates: places.duplicates }),
  }
}
