/** Publishes a transaction that was committed: a piece, and its end in the staging log, in one commit; all of it in one if it fits. */
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { LogId, StoredBatch, Ticket } from '../../storage/log-store.ts'
import type { Task } from '../dispatcher.ts'
import type { GroupCoordinator, PreparedOffsets } from '../groups/group-coordinator.ts'
import { partitionOf, type Place } from '../groups/place.ts'
import type { BatchPart } from '../priorities/split-by-level.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { APPEND_BYTES } from '../transactions/limits.ts'
import { CHANGE_BYTES, PIECE_BYTES_MAX, READ_BYTES } from './limits.ts'
import { readStagedBatch } from './staged-batch.ts'
import type { Staging } from './staging.ts'

interface Piece {
  readonly batches: readonly { readonly target: PublishTarget; readonly parts: readonly BatchPart[] }[]
  /** To reserve. */
  readonly bytes: number
  /** Where the staging log goes on. */
  readonly next: number
}

interface PublicationHost {
  /** Whether it may have much in memory. It is woken when that changes. */
  mayReadOn(publication: Publication): boolean
  /** The last piece is in the open commit, which has room for what ends the transaction. */
  ended(): void
  /** Nothing more is to be done. */
  over(): void
}

export class Publication implements Task {
  queued = false
  readonly staging: Staging
  readonly #shard: Shard
  readonly #groups: GroupCoordinator
  readonly #host: PublicationHost
  readonly #log: LogId | undefined
  readonly #pieceBytes: number
  /** Read, and not published yet. */
  #read: StoredBatch[] = []
  #readBytes = 0
  #readTo: number
  #isReading = false
  #isOver = false
  #failure: Error | undefined
  /** Records whose topic or queue is gone. */
  #lost = 0
  readonly #waiters: { readonly resolve: (ticket: Ticket) => void; readonly reject: (error: Error) => void }[] = []

  constructor(shard: Shard, groups: GroupCoordinator, staging: Staging, host: PublicationHost) {
    this.#shard = shard
    this.#groups = groups
    this.staging = staging
    this.#host = host
    this.#log = staging.cell.log
    this.#readTo = this.#log === undefined ? staging.end : shard.store.bounds(this.#log).start
    const { commitBytesMax } = shard.store.limits
    // Message ids take room too. What a commit takes at most is more than that.
    const isSmall = staging.bytes <= commitBytesMax
    this.#pieceBytes = isSmall ? commitBytesMax * 1.5 : Math.min(PIECE_BYTES_MAX, commitBytesMax)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** @returns the ticket of a commit that is not before its last piece. @throws when the broker stops first, or it cannot be read */
  whenOver(): Promise<Ticket> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  stop(reason: Error): void {
    this.#failure = reason
    for (const { reject } of this.#waiters.splice(0)) reject(reason)
  }

  /** Publishes one piece. @returns whether there is more that can be done now */
  work(): boolean {
    const { store, refusal } = this.#shard
    // Relief wakes it.
    if (this.#isOver || refusal !== undefined || !store.acceptsPublishes) return false
    if (store.pendingBytes > store.limits.pendingBytesHigh) return false
    try {
      if (!this.#hasPiece()) return false
      this.#publish(this.#nextPiece())
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#leave(error)
    }
    return !this.#isOver
  }

  // ---- reading --------------------------------------------------------------------------------------------------------

  /** Whether enough is read for a piece. Otherwise it is woken. */
  #hasPiece(): boolean {
    const { store, cycle } = this.#shard
    while (this.#readTo < this.staging.end && this.#readBytes < this.#pieceBytes) {
      if (this.#isReading || (this.#readBytes > 0 && !this.#host.mayReadOn(this))) return false
      const found = store.read(this.#log!, this.#readTo, READ_BYTES)
      if (found instanceof Promise) {
        void this.#takeLater(found)
        return false
      }
      if (found.length === 0) {
        // The rest is not committed yet.
        cycle.awaitNext({ committed: () => this.#wake() })
        return false
      }
      this.#take(found)
    }
    return true
  }

  async #takeLater(reading: Promise<readonly StoredBatch[]>): Promise<void> {
    this.#isReading = true
    try {
      this.#take(await reading)
    } catch (error) {
      if (this.#shard.refusal !== undefined) return
      if (!isUnreadable(error)) throw error
      this.#leave(error)
      return
    } finally {
      this.#isReading = false
    }
    this.#wake()
  }

  #take(batches: readonly StoredBatch[]): void {
    for (const batch of batches) {
      this.#read.push(batch)
      this.#readBytes += batch.bytes.length
      this.#readTo = batch.lastOffset + 1
    }
  }

  // ---- publishing -----------------------------------------------------------------------------------------------------

  #nextPiece(): Piece {
    const batches: Piece['batches'][number][] = []
    let bytes = CHANGE_BYTES
    let next = this.#readTo
    let taken = 0
    for (; taken < this.#read.length; taken++) {
      const stored = this.#read[taken]!
      const { place, batch } = readStagedBatch(stored.bytes)
      const target = this.#targetOf(place)
      const parts = target === undefined ? [] : target.divide(partitionOf(place), batch)
      const more = target === undefined ? 0 : target.partsBytes(parts) + APPEND_BYTES
      if (taken > 0 && bytes + more > this.#pieceBytes) {
        next = stored.baseOffset
        break
      }
      bytes += more
      this.#readBytes -= stored.bytes.length
      if (target === undefined) this.#lost++
      else batches.push({ target, parts })
    }
    this.#read = this.#read.slice(taken)
    return { batches, bytes, next }
  }

  #targetOf(place: Place): PublishTarget | undefined {
    const target = this.staging.targets.get(place)
    return target === undefined || target.deleted ? undefined : target
  }

  #publish({ batches, bytes, next }: Piece): void {
    const { store, cycle } = this.#shard
    const isLast = next === this.staging.end
    const offsets = isLast ? this.#prepareOffsets() : []
    store.reserve(offsets.reduce((sum, each) => sum + each.bytes, bytes))
    const ticket = store.ticket()
    cycle.together = true
    for (const { target, parts } of batches) target.publishParts(parts)
    for (const each of offsets) each.set()
    if (isLast) this.#host.ended()
    else store.trim(this.#log!, next)
    cycle.together = false
    assert(store.ticket() === ticket, 'a piece of a transaction is in one commit')
    cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    store.touch()
    if (isLast) this.#ended()
  }

  #prepareOffsets(): PreparedOffsets[] {
    return [...this.staging.cell.offsets].map(([group, offsets]) =>
      this.#groups.prepareAdded(
        group,
        [...offsets].map(([place, stored]) => ({ place, stored })),
      ),
    )
  }

  #ended(): void {
    this.#isOver = true
    this.#host.over()
    for (const { resolve } of this.#waiters.splice(0)) resolve(this.#shard.store.ticket())
    if (this.#lost === 0) return
    this.#shard.warn(`${this.#title()} was committed without ${this.#lost} batches, whose topics or queues were deleted before`)
  }

  /** What is damaged must not hold up the rest. */
  #leave(error: Error): void {
    this.#isOver = true
    this.#read = []
    this.#host.over()
    const reason = `${this.#title()} was committed and cannot be published whole, what is left stays where it is: ${error.message}`
    this.#shard.warn(reason)
    this.stop(new MillraceError('data_corrupt', reason, { cause: error }))
  }

  #wake(): void {
    this.#shard.dispatcher.wake(this)
    this.#shard.dispatcher.run()
  }

  #title(): string {
    return `the transaction of producer ${JSON.stringify(this.staging.cell.transactionalId)}`
  }
}

function isUnreadable(error: unknown): error is Error {
  if (error instanceof MillraceError) return error.code === 'data_corrupt' || error.code === 'record_too_large'
  return error instanceof Error && error.name.endsWith('FormatError')
}
