/** One redrive under way: a share of it per turn, each share one commit. */
import { BatchFormatError, RecordCursor } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { StoredBatch, Ticket } from '../../storage/log-store.ts'
import type { RedriveInfo, RedriveState } from '../broker.ts'
import { BatchWindow } from '../delivery/batch-window.ts'
import type { Cursor } from '../delivery/cursor.ts'
import { DEAD_LETTER_HEADERS, headerText } from '../delivery/dead-letter-headers.ts'
import type { OffsetRange } from '../delivery/range-map.ts'
import type { Task } from '../dispatcher.ts'
import type { PublishTarget } from '../publish-target.ts'
import { RecordProperties } from '../selectors/record-properties.ts'
import type { Shard } from '../shard.ts'
import type { Deadline } from '../timers.ts'
import { MOVE_RECORDS } from './limits.ts'
import { Move, headersOf } from './move.ts'
import type { CheckedRedrive } from './redrive-spec.ts'
import { Tally } from './tally.ts'

/** What it needs from those who keep it. */
export interface RedriveOwner {
  /** The topic or queue of an address, if it exists. */
  target(address: string): PublishTarget | undefined
  /** It has ended; what it did is durable with this ticket. */
  ended(run: RedriveRun, ticket: Ticket): void
}

/** A log of the queue, and how far it is gone through. */
interface RedriveSource {
  readonly cursor: Cursor
  readonly window: BatchWindow
  at: number
  /** What is published later is left alone, also what this redrive itself publishes. */
  readonly end: number
}

/** How many messages are read ahead for. */
const READ_AHEAD = 1024
const NO_ORIGIN = 'unknown'

export class RedriveRun implements Task, Deadline {
  queued = false
  readonly id: number
  readonly #shard: Shard
  readonly #owner: RedriveOwner
  readonly #spec: CheckedRedrive
  /** Those that are still to be gone through; the first is under way. */
  readonly #sources: RedriveSource[]
  readonly #properties = new RecordProperties()
  readonly #tally = new Tally()
  readonly #startedMs: number
  readonly #startedMonotonicMs: number
  #state: RedriveState = 'running'
  #error: string | undefined
  #endedMs: number | undefined
  /** Of the last commit that it wrote something into. */
  #ticket: Ticket
  #scanned = 0
  #moved = 0
  #left = 0

  /** @param cursors of the queue, in the order in which their messages are moved */
  constructor(shard: Shard, owner: RedriveOwner, id: number, spec: CheckedRedrive, cursors: readonly Cursor[]) {
    this.#shard = shard
    this.#owner = owner
    this.id = id
    this.#spec = spec
    this.#startedMs = shard.platform.clock.nowMs()
    this.#startedMonotonicMs = shard.platform.clock.monotonicMs()
    this.#ticket = shard.store.committedTicket
    this.#sources = cursors.map((cursor) => {
      const { end } = shard.store.bounds(cursor.log.id)
      const window = new BatchWindow(
        shard.store,
        cursor.log.id,
        shard.windows,
        () => READ_AHEAD,
        () => this.resume(),
      )
      return { cursor, window, at: spec.offset ?? 0, end: spec.offset === undefined ? end : Math.min(end, spec.offset + 1) }
    })
  }

  get info(): RedriveInfo {
    const { source, to, dryRun } = this.#spec
    return {
      id: this.id,
      source,
      ...(to === undefined ? {} : { to }),
      dryRun,
      state: this.#state,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      scanned: this.#scanned,
      moved: this.#moved,
      left: this.#left,
      groups: this.#tally.groups(),
      startedMs: this.#startedMs,
      ...(this.#endedMs === undefined ? {} : { endedMs: this.#endedMs }),
    }
  }

  /** It may be able to go on. */
  resume(): void {
    if (this.#state !== 'running') return
    this.#shard.dispatcher.wake(this)
    this.#shard.dispatcher.run()
  }

  due(): void {
    this.resume()
  }

  cancel(): void {
    this.#finish('cancelled')
  }

  work(): boolean {
    if (this.#state !== 'running') return false
    const [source] = this.#sources
    try {
      return this.#step(source)
    } catch (error) {
      if (!(error instanceof MillraceError) && !(error instanceof BatchFormatError)) throw error
      if (source !== undefined && error instanceof MillraceError && error.code === 'offset_out_of_range') {
        source.at = Math.max(source.at, this.#shard.store.bounds(source.cursor.log.id).start)
        return true
      }
      this.#finish('failed', error.message)
      return false
    }
  }

  /** @returns whether there is more to do now */
  #step(source: RedriveSource | undefined): boolean {
    const { store } = this.#shard
    if (source?.cursor.closed === true) throw new MillraceError('not_found', `${this.#spec.source} was deleted`)
    // Relief wakes it again.
    if (!this.#spec.dryRun && (!store.acceptsPublishes || store.pendingBytes > store.limits.pendingBytesHigh)) return false
    if (source === undefined || this.#moved >= this.#spec.max) {
      this.#finish('done')
      return false
    }
    const ready = source.cursor.readyFrom(source.at, source.end, true)
    if (ready === undefined) {
      source.window.clear()
      this.#sources.shift()
      return true
    }
    const allowed = Math.min(this.#allowed(), this.#spec.max - this.#moved)
    if (allowed < 1) return false
    const seen = source.window.seek(ready.first)
    if (seen === 'loading') return false
    const { batch } = source.window
    if (seen === 'end' || batch === undefined) source.at = ready.last + 1
    else if (batch.baseOffset > ready.last) source.at = batch.baseOffset
    else this.#move(source, batch, ready, allowed)
    return true
  }

  /** How many may be moved now. Asks to be woken when that is none. */
  #allowed(): number {
    const { ratePerSecond, dryRun } = this.#spec
    if (ratePerSecond === Infinity || dryRun) return Infinity
    const perMs = ratePerSecond / 1000
    const nowMs = this.#shard.platform.clock.monotonicMs()
    const nextMs = this.#startedMonotonicMs + Math.ceil(this.#moved / perMs)
    if (nextMs > nowMs) {
      this.#shard.timers.add(nextMs, this)
      return 0
    }
    return Math.max(1, Math.floor((nowMs - this.#startedMonotonicMs) * perMs) + 1 - this.#moved)
  }

  #move(source: RedriveSource, batch: StoredBatch, ready: OffsetRange, allowed: number): void {
    const { dryRun, keepHeaders } = this.#spec
    const move = new Move(this.#shard.crc32c, this.#shard.platform.clock.nowMs(), keepHeaders)
    const record = new RecordCursor(batch.bytes)
    const last = Math.min(ready.last, batch.lastOffset)
    let next = last + 1
    let moved = 0
    for (let records = 0; record.next();) {
      const offset = batch.baseOffset + record.offsetDelta
      if (offset < ready.first) continue
      if (offset > last) break
      if (moved === allowed || records++ === MOVE_RECORDS || move.isFull) {
        next = offset
        break
      }
      this.#scanned++
      if (this.#spec.filter?.matches(this.#properties.show(record)) === false) continue
      const headers = headersOf(record)
      const origin = headerText(headers, DEAD_LETTER_HEADERS.source)
      const target = this.#targetFor(origin, record.keyLength >= 0)
      this.#tally.add(origin ?? NO_ORIGIN, headerText(headers, DEAD_LETTER_HEADERS.reason) ?? NO_ORIGIN, target !== undefined)
      if (target === undefined) {
        this.#left++
        continue
      }
      moved++
      if (!dryRun) move.add(offset, record, headers, target)
    }
    move.commit(this.#shard, source.cursor)
    if (move.messages > 0) this.#ticket = this.#shard.store.ticket()
    this.#moved += moved
    source.at = next
    source.window.passed(next)
  }

  /** Where a message goes, or undefined when it has to stay. */
  #targetFor(origin: string | undefined, hasKey: boolean): PublishTarget | undefined {
    const { to, mayGoTo } = this.#spec
    if (to === undefined && !mayGoTo(origin ?? '')) return undefined
    const target = this.#owner.target(to ?? origin ?? '')
    return target?.keyed === true && !hasKey ? undefined : target
  }

  #finish(state: RedriveState, error?: string): void {
    if (this.#state !== 'running') return
    this.#state = state
    this.#error = error
    this.#endedMs = this.#shard.platform.clock.nowMs()
    this.#sources[0]?.window.clear()
    this.#owner.ended(this, this.#ticket)
  }
}
