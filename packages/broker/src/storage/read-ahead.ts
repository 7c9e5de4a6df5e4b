import { KIB, MIB } from '../base/units.ts'
import { MillraceError } from '../base/errors.ts'
import { Lease } from '../base/lease.ts'
import type { Scheduler, Timer } from '../ports/platform.ts'
import { isDead, type LogState } from './log-state.ts'
import type { StoredBatch } from './log-store.ts'

// hot path (bench/src/peers/compare-kafka.ts, consume)

/** One that was read, and what it lies in, where that is not its own. */
export interface ReadBatch extends StoredBatch {
  readonly lease?: Lease | undefined
}

/** How it reads. Both may be asked at any time while a log is there. */
export interface ColdReads {
  /** From the journal. */
  read(log: LogState, from: number, bytesMax: number, lease: Lease | undefined): Promise<readonly ReadBatch[]>
  /** Whether what is there has to be read from the journal. */
  isCold(log: LogState, offset: number): boolean
}

/** Somebody who reads a log in order. */
interface Stream {
  readonly log: LogState
  /** It asks for something in `from..next` next. */
  from: number
  /** Where reading goes on. */
  next: number
  /** From `from` to `next`, or none. The first was given away already: who takes less than that begins with it next time. */
  batches: ReadBatch[]
  /** Of `batches` and of a read under way. */
  bytes: number
  /** How much is asked for at a time. */
  readonly wanted: number
  /** How many answers are to be there while the next one is read: more, when that took so long that the reader waited. */
  answers: number
  loading: Promise<void> | undefined
  isToFill: boolean
  /** Whoever reads says when he is done. */
  lends: boolean
  /** Asked for since the last look. */
  isUsed: boolean
  isDropped: boolean
}

/** Who asks for less reads a record here and there. */
const ASKED_BYTES_MIN: number = 16 * KIB
const AHEAD_BYTES_MIN: number = 256 * KIB
const AHEAD_BYTES_MAX: number = 2 * MIB
/** A disk is quick on average: with fewer, half of the answers wait for it. What is in the page cache needs one, which is still in the processor's cache. */
const READY_ANSWERS_MAX = 4
/** Of all logs. Whoever is one too many reads when asked, until others are done. */
const STREAMS_MAX = 256
/** Streams that nobody used for one to two times so long are dropped. */
const IDLE_MS = 5000

/**
 * What those who read old records in order will ask for next is read while they work on what they got. Whoever asks for what follows
 * his last read is taken to go on so.
 */
export class ReadAhead {
  readonly #bytesMax: number
  readonly #reads: ColdReads
  readonly #scheduler: Scheduler
  readonly #streams = new Map<LogState, Stream[]>()
  readonly #underway = new Set<Promise<void>>()
  #count = 0
  #bytes = 0
  #timer: Timer | undefined
  #isStopped = false

  /** @param bytesMax of all streams together: those that find no room read when they are asked */
  constructor(bytesMax: number, reads: ColdReads, scheduler: Scheduler) {
    this.#bytesMax = bytesMax
    this.#reads = reads
    this.#scheduler = scheduler
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What is ready from `from` on, about `bytesMax` of it or as much as there is; undefined where nothing is. */
  take(log: LogState, from: number, bytesMax: number, lease?: Lease): ReadBatch[] | undefined {
    if (this.#streams.size === 0) return undefined
    const stream = this.#find(log, from)
    if (stream === undefined) return undefined
    stream.isUsed = true
    stream.lends = lease !== undefined
    const { batches } = stream
    let first = 0
    while (first < batches.length && batches[first]!.lastOffset < from) first++
    let bytes = 0
    let to = first
    while (to < batches.length && bytes < bytesMax) bytes += batches[to++]!.bytes.length
    // What is on the way, or can be, makes a better answer than a rest.
    if (to === first) return undefined
    if (bytes < bytesMax / 2) this.#fill(stream)
    if (bytes < bytesMax / 2 && stream.loading !== undefined) return undefined
    const alive = batches.slice(first, to).filter(({ baseOffset, lastOffset }) => !isDead(log, baseOffset, lastOffset + 1))
    const taken = alive.map((batch) => lentTo(lease, batch))
    this.#release(stream, to - 1)
    this.#keepGiven(stream)
    this.#fillSoon(stream)
    return taken.length === 0 ? undefined : taken
  }

  /**
   * For a reader that waits. Resolves when the read ahead that is under way, which may bring what is at `from`, is done; undefined if there is none.
   * From now on more is read ahead of him.
   */
  arriving(log: LogState, from: number): Promise<void> | undefined {
    const stream = this.#streams.size === 0 ? undefined : this.#find(log, from)
    if (stream?.loading === undefined) return undefined
    stream.answers = Math.min(2 * stream.answers, READY_ANSWERS_MAX)
    return stream.loading
  }

  /** Somebody asked for `bytesMax` from `from` on, and the journal gave `batches`. */
  followed(log: LogState, from: number, bytesMax: number, batches: readonly ReadBatch[]): void {
    const last = batches.at(-1)
    if (last === undefined || this.#isStopped) return
    const next = last.lastOffset + 1
    const stream = this.#find(log, from)
    if (stream !== undefined) stream.isUsed = true
    if (stream === undefined) {
      if (bytesMax >= ASKED_BYTES_MIN) this.#expect(log, from + 1, next, bytesMax)
    } else if (stream.loading === undefined && next >= stream.next) {
      this.#release(stream, stream.batches.length)
      stream.next = next
      this.#keep(stream, [ownOf(last)])
      this.#fillSoon(stream)
    }
  }

  /** What is stored of the log is not what was read. */
  forget(log: LogState): void {
    for (const stream of this.#streams.get(log) ?? []) this.#drop(stream)
  }

  /** Resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    for (const stream of [...this.#streams.values()].flat()) this.#drop(stream)
    await Promise.all(this.#underway)
  }

  #find(log: LogState, offset: number): Stream | undefined {
    const streams = this.#streams.get(log)
    if (streams === undefined) return undefined
    for (let n = 0; n < streams.length; n++) {
      const stream = streams[n]!
      if (stream.from <= offset && offset <= stream.next) return stream
    }
    return undefined
  }

  /** Somebody read up to `next`, and may go on: after the first of what he got, as far as he wanted it. */
  #expect(log: LogState, from: number, next: number, bytesMax: number): void {
    if (this.#count === STREAMS_MAX) return
    this.#count++
    const wanted = Math.min(Math.max(bytesMax, AHEAD_BYTES_MIN), AHEAD_BYTES_MAX)
    const progress = {
      answers: 1,
      batches: [],
      bytes: 0,
      loading: undefined,
      isToFill: false,
      lends: false,
      isUsed: true,
      isDropped: false,
    }
    const stream: Stream = { log, from, next, wanted, ...progress }
    const streams = this.#streams.get(log)
    if (streams === undefined) this.#streams.set(log, [stream])
    else streams.push(stream)
    this.#timer ??= this.#scheduler.after(IDLE_MS, () => this.#dropUnused())
  }

  /** Not before what was just given is on its way: threads that read take the time of the one that sends. */
  #fillSoon(stream: Stream): void {
    if (stream.isToFill || stream.loading !== undefined || !this.#isShort(stream)) return
    stream.isToFill = true
    this.#scheduler.endOfTurn(() => this.#scheduler.endOfTurn(() => this.#fill(stream)))
  }

  #fill(stream: Stream): void {
    stream.isToFill = false
    if (stream.loading !== undefined || !this.#isShort(stream)) return
    const loading = this.#load(stream).finally(() => this.#underway.delete(loading))
    this.#underway.add(loading)
    stream.loading = loading
  }

  /** Whether more of it should be read, and may be. One answer is read ahead where there are many readers. */
  #isShort({ log, next, batches, bytes, wanted, answers, isDropped }: Stream): boolean {
    if (isDropped || next >= log.end) return false
    const ready = bytes - (batches[0]?.bytes.length ?? 0)
    if (ready >= answers * wanted) return false
    const bytesMax = ready < wanted ? this.#bytesMax : this.#bytesMax / 2
    return this.#bytes + wanted <= bytesMax && this.#reads.isCold(log, next)
  }

  async #load(stream: Stream): Promise<void> {
    this.#account(stream, stream.wanted)
    const lease = stream.lends ? new Lease() : undefined
    const batches = await this.#read(stream, lease)
    // In the same turn as what follows: nobody else may take the room meanwhile.
    this.#account(stream, -stream.wanted)
    stream.loading = undefined
    if (batches.length === 0) this.#drop(stream)
    if (!stream.isDropped) {
      this.#keep(stream, batches)
      this.#fillSoon(stream)
    }
    lease?.release()
  }

  async #read({ log, next, wanted }: Stream, lease: Lease | undefined): Promise<readonly ReadBatch[]> {
    try {
      return await this.#reads.read(log, next, wanted, lease)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      // Whoever gets there reads it himself, and is told.
      return []
    }
  }

  #keep(stream: Stream, batches: readonly ReadBatch[]): void {
    for (const batch of batches) {
      batch.lease?.hold()
      stream.batches.push(batch)
      this.#account(stream, batch.bytes.length)
    }
    stream.from = stream.batches[0]!.baseOffset
    stream.next = batches.at(-1)!.lastOffset + 1
  }

  /** Lets go of the first `count` batches. */
  #release(stream: Stream, count: number): void {
    for (const batch of stream.batches.splice(0, count)) {
      this.#account(stream, -batch.bytes.length)
      batch.lease?.release()
    }
    stream.from = stream.batches[0]?.baseOffset ?? stream.next
  }

  /** What was given away keeps nothing in memory but itself, and what is kept anyway. */
  #keepGiven({ batches }: Stream): void {
    const given = batches[0]!
    if (given.lease === undefined || given.lease === batches[1]?.lease) return
    batches[0] = ownOf(given)
    given.lease.release()
  }

  #account(stream: Stream, bytes: number): void {
    if (stream.isDropped) return
    stream.bytes += bytes
    this.#bytes += bytes
  }

  #drop(stream: Stream): void {
    if (stream.isDropped) return
    this.#account(stream, -stream.bytes)
    stream.isDropped = true
    this.#count--
    for (const { lease } of stream.batches) lease?.release()
    stream.batches = []
    const left = this.#streams.get(stream.log)!.filter((other) => other !== stream)
    if (left.length === 0) this.#streams.delete(stream.log)
    else this.#streams.set(stream.log, left)
  }

  #dropUnused(): void {
    this.#timer = undefined
    for (const stream of [...this.#streams.values()].flat()) {
      if (stream.isUsed) stream.isUsed = false
      else this.#drop(stream)
    }
    if (this.#streams.size > 0) this.#timer = this.#scheduler.after(IDLE_MS, () => this.#dropUnused())
  }
}

/** What somebody may look at as long as he holds his lease, or keep if he has none. */
function lentTo(lease: Lease | undefined, batch: ReadBatch): ReadBatch {
  if (lease === undefined) return ownOf(batch)
  if (batch.lease !== undefined) lease.add(batch.lease)
  return batch
}

function ownOf(batch: ReadBatch): ReadBatch {
  return batch.lease === undefined ? batch : { ...batch, bytes: new Uint8Array(batch.bytes), lease: undefined }
}
