/** All transactional producers of the broker: implements `Broker.producerTransactions`. */
import { batchProducerEpoch, batchProducerId } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { LogId, Ticket } from '../../storage/log-store.ts'
import type { Destination, ProducerIdentity } from '../broker.ts'
import { PRODUCER_CHANGE_BYTES } from '../dedup/limits.ts'
import { IN_ORDER, UNKNOWN_OFFSET } from '../dedup/producer.ts'
import type { GroupProblem, OffsetCommit, OffsetCommitter, OffsetProblem } from '../groups/consumer-groups.ts'
import { offsetsBytes } from '../groups/committed-offsets.ts'
import type { GroupCoordinator } from '../groups/group-coordinator.ts'
import { partitionOf, type Place, placeOf } from '../groups/place.ts'
import { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { CellLog } from '../state/cell-log.ts'
import type { RecoveredCells } from '../state/read-cell-log.ts'
import {
  ADDED_OFFSETS_BYTES_MAX,
  CHANGE_BYTES,
  ENLISTED_BYTES,
  FORGOTTEN_PER_SWEEP_MAX,
  PUBLICATIONS_READING_MAX,
  STAGED_ENTRY_BYTES,
  TRANSACTIONS_LOG_BYTES_FLOOR,
} from './limits.ts'
import { TransactionDeadlines } from './transaction-deadlines.ts'
import type * as api from './producer-transactions.ts'
import { Publication } from './publication.ts'
import { nameOf, Stager, Staging } from './staging.ts'
import { type BumpCause, TransactionCell } from './transaction-cell.ts'
import * as refusals from './refusals.ts'

export class TransactionCoordinator implements api.ProducerTransactions {
  readonly limits: api.TransactionLimits
  readonly #shard: Shard
  readonly #groups: GroupCoordinator
  readonly #log: CellLog<TransactionCell>
  readonly #stager: Stager
  readonly #deadlines: TransactionDeadlines
  readonly #producers = new Map<string, Staging>()
  readonly #publications = new Map<string, Publication>()
  #openBytes = 0
  readonly #ends = { commit: 0, abort: 0 }

  /** @param onLogCreated the log of transactions is there from now on: its id is to be kept in the open commit */
  constructor(shard: Shard, groups: GroupCoordinator, limits: api.TransactionLimits, onLogCreated: (log: LogId) => void) {
    this.limits = limits
    this.#shard = shard
    this.#groups = groups
    this.#log = new CellLog(shard, TRANSACTIONS_LOG_BYTES_FLOOR, onLogCreated)
    this.#stager = new Stager(shard)
    this.#deadlines = new TransactionDeadlines(shard, {
      late: (staging) => this.#abort(staging, 'aborted'),
      sweep: () => this.#forgetUnused(),
    })
    shard.store.onRelief(() => {
      for (const publication of this.#publications.values()) shard.dispatcher.wake(publication)
    })
  }

  /** What a restart found. @param targets all there are */
  restore(recovered: RecoveredCells<TransactionCell>, targets: readonly PublishTarget[]): void {
    const byEntity = new Map(targets.map((target) => [target.entity, target]))
    this.#log.restore(recovered)
    for (const { cell } of recovered.cells) {
      const staging = new Staging(cell)
      staging.restore(this.#shard, (entity) => byEntity.get(entity))
      this.#producers.set(cell.transactionalId, staging)
      this.#openBytes += staging.bytes
      if (cell.phase === 'idle') continue
      for (const [group, offsets] of cell.offsets) staging.hold(this.#groups.hold(group, new Set(offsets.keys())))
    }
    if (this.#producers.size > 0) this.#deadlines.planSweep()
  }

  /** Everything else is restored: goes on with what was under way. */
  start(): void {
    for (const staging of this.#producers.values()) {
      if (staging.cell.phase === 'open') this.#deadlines.watch(staging)
      else if (staging.cell.phase === 'committing') this.#shard.dispatcher.wake(this.#newPublication(staging))
    }
  }

  /** @param reason for those who wait for the end of a transaction */
  stop(reason: Error): void {
    for (const publication of this.#publications.values()) publication.stop(reason)
  }

  // ---- producers --------------------------------------------------------------------------------------------------------

  open(transactionalId: string, timeoutMs: number, current?: ProducerIdentity): ProducerIdentity {
    this.#checkOpen()
    refusals.checkOpening(transactionalId, timeoutMs, this.limits)
    const known = this.#producers.get(transactionalId)
    if (known === undefined) return this.#create(transactionalId, timeoutMs)
    const { cell } = known
    if (current !== undefined && !isSame(current, cell.identity)) {
      const isRepeated = cell.previous !== undefined && isSame(current, cell.previous) && cell.phase === 'idle'
      if (!isRepeated) throw refusals.fenced(transactionalId)
      return this.#touched(known, cell.identity)
    }
    if (cell.phase === 'committing') throw refusals.busy(transactionalId)
    this.#reserve()
    if (cell.phase === 'open') this.#finish(known, 'abort')
    this.#bump(cell, 'opened')
    if (current === undefined) cell.previous = undefined
    cell.timeoutMs = timeoutMs
    cell.lastOutcome = 'none'
    return this.#touched(known, cell.identity)
  }

  list(): readonly api.TransactionSummary[] {
    return [...this.#producers.values()].map(({ cell }) => summary(cell))
  }

  describe(transactionalId: string): api.TransactionDescription | undefined {
    const staging = this.#producers.get(transactionalId)
    if (staging === undefined) return undefined
    const partitions = [...staging.targets]
      .filter(([, target]) => !target.deleted)
      .map(([place, { kind, name }]) => ({ kind, name, partition: partitionOf(place) }))
    return { ...summary(staging.cell), partitions, groups: [...staging.cell.offsets.keys()], bytes: staging.bytes }
  }

  figures(): api.TransactionFigures {
    const phases = { idle: 0, open: 0, committing: 0 }
    let oldestStartedMs: number | undefined
    for (const { cell } of this.#producers.values()) {
      phases[cell.phase]++
      if (cell.phase === 'open') oldestStartedMs = Math.min(oldestStartedMs ?? cell.startedMs, cell.startedMs)
    }
    const { open, committing } = phases
    const { commit: committed, abort: aborted } = this.#ends
    return { producers: this.#producers.size, open, committing, bytes: this.#openBytes, oldestStartedMs, committed, aborted }
  }

  // ---- what a transaction does ------------------------------------------------------------------------------------------

  enlist(by: api.TransactionalProducer, partitions: readonly api.TransactionPartition[]): void {
    const staging = this.#current(by.transactionalId, by)
    const targets = new Map<Place, PublishTarget>()
    for (const { to, partition } of partitions) {
      const target = targetOf(to)
      targets.set(placeOf(target.entity, target.existingPartition(partition)), target)
    }
    this.#checkCount(staging, targets.keys())
    this.#reserve(targets.size * ENLISTED_BYTES)
    this.#begin(staging)
    for (const [place, target] of targets) this.#enlist(staging, place, target)
    this.#touched(staging)
  }

  publish(transactionalId: string, to: Destination, partition: number, sent: Uint8Array, mode: api.EnlistMode): boolean {
    const by = { producerId: batchProducerId(sent), epoch: batchProducerEpoch(sent) }
    const staging = this.#known(transactionalId, by)
    const { producers, store } = this.#shard
    const target = targetOf(to)
    const log = target.logOf(target.existingPartition(partition))
    const batch = storedForm(target, sent)
    if (producers.check(sent, log) !== IN_ORDER) {
      // The first one may not be durable yet: the open commit, which comes after it, has to be.
      store.touch()
      return false
    }
    if (batch instanceof MillraceError) throw batch
    this.#checkIdle(staging)
    const place = placeOf(target.entity, partition)
    if (mode === 'enlisted' && !staging.targets.has(place)) throw refusals.notEnlisted(transactionalId, nameOf(target, place))
    this.#checkCount(staging, [place])
    this.#checkBytes(staging, batch.length + STAGED_ENTRY_BYTES)
    // A commit must be able to hold it with its message ids, too.
    this.#reserve(batch.length + STAGED_ENTRY_BYTES + PRODUCER_CHANGE_BYTES + 2 * target.idBytes(batch))
    this.#begin(staging)
    this.#enlist(staging, place, target)
    this.#openBytes += this.#stager.append(staging, place, batch)
    producers.note(batch, log, UNKNOWN_OFFSET)
    this.#touched(staging)
    return true
  }

  addOffsets(
    by: api.TransactionalProducer,
    group: string,
    offsets: readonly OffsetCommit[],
    committer: OffsetCommitter | undefined,
    mode: api.EnlistMode,
  ): GroupProblem | readonly (OffsetProblem | undefined)[] {
    const staging = this.#current(by.transactionalId, by)
    const { cell } = staging
    if (mode === 'enlisted' && cell.phase !== 'open') throw refusals.notEnlisted(by.transactionalId, 'any offsets')
    const checked = this.#groups.checkAdded(group, offsets, committer)
    if (typeof checked === 'string') return checked
    const bytes = offsetsBytes(group, checked.changes)
    const before = [...cell.offsets].reduce(
      (sum, [name, known]) =>
        sum +
        offsetsBytes(
          name,
          [...known].map(([place, stored]) => ({ place, stored })),
        ),
      0,
    )
    if (before + bytes > ADDED_OFFSETS_BYTES_MAX) throw refusals.tooManyOffsets(by.transactionalId)
    this.#reserve(bytes)
    this.#begin(staging)
    const known = cell.offsets.get(group)
    const added = checked.changes.map(({ place }) => place).filter((place) => known?.has(place) !== true)
    if (added.length > 0) staging.hold(this.#groups.hold(group, new Set(added)))
    if (checked.changes.length > 0) cell.addOffsets(group, checked.changes)
    this.#touched(staging, undefined, bytes)
    return checked.problems
  }

  end(by: api.TransactionalProducer, outcome: api.TransactionOutcome, bumpEpoch: boolean): api.EndedTransaction {
    this.#checkOpen()
    const { transactionalId } = by
    const staging = this.#producers.get(transactionalId)
    if (staging === undefined) throw refusals.unknown(transactionalId)
    const { cell } = staging
    if (this.#isEndedBy(cell, by, outcome, bumpEpoch)) return this.#ended(staging)
    this.#known(transactionalId, by)
    if (cell.phase === 'committing') {
      if (outcome === 'commit') return this.#ended(staging)
      throw refusals.endedOtherwise(transactionalId, 'committed')
    }
    if (cell.phase === 'idle' && !isEmptyEnd(cell, outcome, bumpEpoch)) throw refusals.nothingToEnd(cell, outcome)
    this.#reserve()
    const wasOpen = cell.phase === 'open'
    if (bumpEpoch) this.#bump(cell, 'ended')
    if (outcome === 'abort') this.#finish(staging, 'abort')
    else if (wasOpen) this.#commit(staging)
    return this.#ended(staging)
  }

  whenPublished(transactionalId: string): Promise<Ticket> {
    const publication = this.#publications.get(transactionalId)
    if (publication !== undefined) return publication.whenOver()
    const { store } = this.#shard
    store.touch()
    return Promise.resolve(store.ticket())
  }

  abort(transactionalId: string): boolean {
    this.#checkOpen()
    const staging = this.#producers.get(transactionalId)
    if (staging === undefined) throw refusals.unknown(transactionalId)
    this.#checkIdle(staging)
    const isOpen = staging.cell.phase === 'open'
    if (isOpen) this.#abort(staging, 'aborted')
    // What ended it before may not be durable yet: the open commit, which comes after it, has to be.
    else this.#shard.store.touch()
    return isOpen
  }

  // ---- checks -----------------------------------------------------------------------------------------------------------

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }

  /** Whoever it is may go on. */
  #known(transactionalId: string, by: ProducerIdentity): Staging {
    this.#checkOpen()
    const staging = this.#producers.get(transactionalId)
    if (staging === undefined) throw refusals.unknown(transactionalId)
    const { identity, previous } = staging.cell
    if (isSame(by, identity)) return staging
    if (previous?.cause === 'aborted' && isSame(by, previous)) throw refusals.tooLate(transactionalId)
    throw refusals.fenced(transactionalId)
  }

  #current(transactionalId: string, by: ProducerIdentity): Staging {
    const staging = this.#known(transactionalId, by)
    this.#checkIdle(staging)
    return staging
  }

  #checkIdle({ cell }: Staging): void {
    if (cell.phase === 'committing') throw refusals.busy(cell.transactionalId)
  }

  #checkCount({ cell: { places, transactionalId } }: Staging, more: Iterable<Place>): void {
    let count = places.size
    for (const place of more) if (!places.has(place)) count++
    if (count > this.limits.partitionsMax) throw refusals.tooManyPartitions(transactionalId, this.limits)
  }

  #checkBytes({ cell, bytes }: Staging, more: number): void {
    const { bytesMax, openBytesMax } = this.limits
    if (bytes + more > bytesMax) throw refusals.tooLarge(cell.transactionalId, this.limits)
    if (this.#openBytes + more > openBytesMax) throw refusals.tooMuchOpen(this.limits)
  }

  /** Whether this was done already, by a call whose answer was lost. */
  #isEndedBy(cell: TransactionCell, by: ProducerIdentity, outcome: api.TransactionOutcome, bumpEpoch: boolean): boolean {
    const { previous, identity, phase, lastOutcome } = cell
    const ended = phase === 'committing' ? 'commit' : lastOutcome
    if (bumpEpoch && previous !== undefined && previous.cause !== 'opened' && isSame(by, previous) && phase !== 'open') {
      if (ended === outcome) return true
      if (previous.cause === 'ended') throw refusals.endedOtherwise(cell.transactionalId, ended)
      return false
    }
    return !bumpEpoch && isSame(by, identity) && phase === 'idle' && lastOutcome === outcome
  }

  // ---- changes, in the open commit --------------------------------------------------------------------------------------

  #reserve(bytes = 0): void {
    this.#shard.store.reserve(bytes + 2 * STAGED_ENTRY_BYTES)
  }

  #create(transactionalId: string, timeoutMs: number): ProducerIdentity {
    if (this.#producers.size >= this.limits.producersMax) throw refusals.tooManyProducers(this.limits)
    const { platform, producers } = this.#shard
    this.#reserve(3 * transactionalId.length)
    const identity = producers.open(undefined, undefined)
    const cell = new TransactionCell(this.#log.newEntity(), transactionalId, identity, timeoutMs, platform.clock.nowMs())
    const staging = new Staging(cell)
    this.#producers.set(transactionalId, staging)
    this.#log.snapshot(cell, CHANGE_BYTES + 3 * transactionalId.length)
    this.#deadlines.planSweep()
    return this.#touched(staging, identity)
  }

  #bump(cell: TransactionCell, cause: BumpCause): void {
    const { platform, producers } = this.#shard
    cell.bump(cause, platform.clock.nowMs(), () => producers.open(undefined, undefined))
  }

  #begin(staging: Staging): void {
    if (staging.cell.phase === 'open') return
    staging.cell.begin(this.#shard.platform.clock.nowMs())
    this.#deadlines.watch(staging)
    this.#log.changed(staging.cell, CHANGE_BYTES)
  }

  #enlist(staging: Staging, place: Place, target: PublishTarget): void {
    if (staging.targets.has(place)) return
    staging.targets.set(place, target)
    staging.cell.addPlace(place)
    this.#log.changed(staging.cell, CHANGE_BYTES + ENLISTED_BYTES)
  }

  #commit(staging: Staging): void {
    staging.cell.phase = 'committing'
    this.#deadlines.forget(staging)
    this.#log.changed(staging.cell, CHANGE_BYTES)
    const publication = this.#newPublication(staging)
    if (publication.work()) this.#shard.dispatcher.wake(publication)
  }

  #newPublication(staging: Staging): Publication {
    const { transactionalId } = staging.cell
    const publication = new Publication(this.#shard, this.#groups, staging, {
      mayReadOn: (each) => this.#firstPublications().includes(each),
      ended: () => {
        this.#publications.delete(transactionalId)
        this.#finish(staging, 'commit')
      },
      over: () => {
        for (const each of this.#firstPublications()) this.#shard.dispatcher.wake(each)
      },
    })
    this.#publications.set(transactionalId, publication)
    return publication
  }

  /** Those that came first and are not over. */
  #firstPublications(): readonly Publication[] {
    const first: Publication[] = []
    for (const publication of this.#publications.values()) {
      if (!publication.isOver) first.push(publication)
      if (first.length === PUBLICATIONS_READING_MAX) break
    }
    return first
  }

  /** It took too long, or an operator ends it: what its producer sends late is refused. */
  #abort(staging: Staging, cause: BumpCause): void {
    this.#reserve()
    this.#finish(staging, 'abort')
    this.#bump(staging.cell, cause)
    this.#touched(staging)
  }

  /** Nothing of it is left. */
  #finish(staging: Staging, outcome: api.TransactionOutcome): void {
    const { cell } = staging
    const { store, platform } = this.#shard
    if (cell.log !== undefined) store.trim(cell.log, staging.end)
    this.#openBytes -= staging.bytes
    staging.clear()
    this.#ends[outcome]++
    cell.end(outcome, platform.clock.nowMs())
    this.#deadlines.forget(staging)
    this.#log.changed(cell, CHANGE_BYTES)
  }

  /** Ends a call that changed something. */
  #touched(staging: Staging): void
  #touched<T>(staging: Staging, result: T, bytes?: number): T
  #touched<T>({ cell }: Staging, result?: T, bytes = 0): T | undefined {
    const { cycle, store } = this.#shard
    this.#log.changed(cell, CHANGE_BYTES + bytes)
    cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    store.touch()
    return result
  }

  #ended(staging: Staging): api.EndedTransaction {
    const { identity, phase } = staging.cell
    return this.#touched(staging, { identity, isPublished: phase !== 'committing' })
  }

  #forgetUnused(): boolean {
    const { store, platform } = this.#shard
    const sinceMs = platform.clock.nowMs() - this.limits.unusedMs
    let left = FORGOTTEN_PER_SWEEP_MAX
    for (const [transactionalId, { cell }] of this.#producers) {
      if (cell.phase !== 'idle' || cell.usedMs >= sinceMs) continue
      if (left-- === 0) break
      this.#producers.delete(transactionalId)
      this.#log.remove(cell)
      if (cell.log !== undefined) store.deleteLog(cell.log)
    }
    return this.#producers.size > 0
  }
}

function isSame(a: ProducerIdentity, b: ProducerIdentity): boolean {
  return a.producerId === b.producerId && a.epoch === b.epoch
}

function targetOf(destination: Destination): PublishTarget {
  if (destination instanceof PublishTarget) return destination
  throw new MillraceError(
    'bad_request',
    `a transaction of a producer publishes to topics and queues, not to exchange:${destination.name}`,
  )
}

/** The batch as it is stored, or why it is not taken now; what is wrong with itself is thrown. */
function storedForm(target: PublishTarget, batch: Uint8Array): Uint8Array | MillraceError {
  try {
    return target.check(batch)
  } catch (error) {
    // What is stored already needs no room, and its publisher must not be told that it is not.
    if (error instanceof MillraceError && error.retryable) return error
    throw error
  }
}

/** To abort what was not begun is nothing, unless something was committed just before. */
function isEmptyEnd(cell: TransactionCell, outcome: api.TransactionOutcome, bumpEpoch: boolean): boolean {
  return outcome === 'abort' && (bumpEpoch || cell.lastOutcome === 'none')
}

function summary(cell: TransactionCell): api.TransactionSummary {
  const { transactionalId, identity, timeoutMs, startedMs, phase } = cell
  const of = { transactionalId, ...identity, state: stateOf(cell), timeoutMs }
  return phase === 'idle' ? of : { ...of, startedMs }
}

function stateOf({ phase, lastOutcome }: TransactionCell): api.TransactionState {
  if (phase !== 'idle') return phase
  return lastOutcome === 'none' ? 'empty' : lastOutcome === 'commit' ? 'committed' : 'aborted'
}
