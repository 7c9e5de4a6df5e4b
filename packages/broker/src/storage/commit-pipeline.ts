import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { AppendResult, Journal } from '../ports/journal.ts'
import type { Platform, Timer } from '../ports/platform.ts'
import type { CommitMemory } from './commit-memory.ts'
import type { StorageLimits } from './limits.ts'
import { Listeners } from './listeners.ts'
import type { Ticket } from './log-store.ts'
import { OpenCommit, type ClosedCommit } from './open-commit.ts'

// hot path (bench/src/log-store.ts)

/** What the pipeline asks of the store around it. */
export interface PipelineHooks {
  /** The commit is about to close: puts upkeep into it (sealed runs, checkpoint), at most `room` bytes. */
  fill(open: OpenCommit, room: number): void
  /** The commit is durable: makes it visible. */
  apply(commit: ClosedCommit): void
  nextLogId(): number
  checkpointFirst(): number
  checkpointLast(): number
  /** Publishes wait for room: wins some back, if there is any. Called again and again until they are accepted. */
  makeRoom(): void
}

/**
 * The way of commits to the journal: one is open, closed ones queue in order, one is being written. While one is written the next fills,
 * so the journal's pace decides how many appends share a commit (natural group commit).
 */
export class CommitPipeline {
  readonly open: OpenCommit
  readonly committed: Listeners<[Ticket]> = new Listeners()
  readonly closing: Listeners<[]> = new Listeners()
  readonly relief: Listeners<[]> = new Listeners()
  readonly shortage: Listeners<[]> = new Listeners()
  readonly failed: Listeners<[Error]> = new Listeners()
  readonly #becameFull: Listeners<[]> = new Listeners()
  committedTicket: Ticket
  lastAppendMs = 0
  commits = 0
  committedBytes = 0
  readonly #journal: Journal
  readonly #platform: Platform
  readonly #crc32c: Crc32c
  readonly #limits: StorageLimits
  readonly #hooks: PipelineHooks
  /** No commit may be larger. */
  readonly #hardBytesMax: number
  #queue: ClosedCommit[] = []
  #queuedBytes = 0
  #isWriting = false
  #isScheduled = false
  #isTouched = false
  /** Something is to be added that nobody waits for. */
  #isLingering = false
  #isClosing = false
  /** Up to this size the open commit stays open: somebody reserved it. */
  #reservedUntil = 0
  #failure: MillraceError | undefined
  /** The journal had no room for the first commit of the queue. */
  #isFull = false
  #headroomBytes: number
  /** Somebody was told that publishes are not accepted. */
  #owesRelief = false
  /** `shortage` was called, and publishes are not accepted since. */
  #isToldShort = false
  #lingerTimer: Timer | undefined
  #timer: Timer | undefined
  #watch: Timer | undefined
  #waiters: { readonly ticket: Ticket; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []

  /** @param next the sequence of the first commit */
  constructor(
    journal: Journal,
    platform: Platform,
    crc32c: Crc32c,
    limits: StorageLimits,
    next: number,
    memory: CommitMemory,
    hooks: PipelineHooks,
  ) {
    this.#journal = journal
    this.#platform = platform
    this.#crc32c = crc32c
    this.#limits = limits
    this.#hooks = hooks
    this.#hardBytesMax = journal.limits.batchBytesMax
    this.committedTicket = next
    this.open = new OpenCommit(this.committedTicket + 1, limits, memory)
    this.#headroomBytes = journal.headroomBytes()
    this.#watchRoom()
  }

  get failure(): MillraceError | undefined {
    return this.#failure
  }

  get pendingBytes(): number {
    return this.#queuedBytes + (this.open.isEmpty ? 0 : this.open.bytes)
  }

  get acceptsPublishes(): boolean {
    if (this.#failure !== undefined) return false
    if (this.#hasRoom) return true
    this.#owesRelief = true
    this.#startTimer()
    return false
  }

  get #hasRoom(): boolean {
    return !this.#isFull && this.#headroomBytes - this.pendingBytes >= this.#limits.headroomReserveBytes
  }

  /** Whether the open commit closes as soon as it can. */
  get #isDue(): boolean {
    return !this.open.isEmpty || this.#isTouched
  }

  get visibleTicket(): Ticket {
    return this.#isDue || this.#isLingering ? this.open.ticket : this.open.ticket - 1
  }

  /** Whether the journal is so full that space has to be won back at once. */
  get isShortOfRoom(): boolean {
    return this.#isFull || this.#headroomBytes - this.pendingBytes < 2 * this.#limits.headroomReserveBytes
  }

  /** Whether `bytes` can be copied without using up the room that trims and acknowledgements need. */
  canCopy(bytes: number): boolean {
    if (this.#failure !== undefined || this.#isFull) return false
    return this.#headroomBytes - this.pendingBytes - bytes >= this.#limits.headroomReserveBytes / 4
  }

  /** hot path: makes sure that `bytes` more fit into the open commit. @throws what made the journal fail */
  prepare(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure
    const after = this.open.bytes + bytes
    if (after > this.#limits.commitBytesMax && after > this.#reservedUntil) this.#makeRoom(bytes)
    if (!this.#isScheduled) this.#schedule()
  }

  reserve(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure
    const max = Math.floor((this.#hardBytesMax * 7) / 8)
    if (bytes + GROUP_SLACK_BYTES > max) {
      throw new MillraceError(
        'record_too_large',
        `${bytes} bytes that belong together do not fit into one commit of at most ${max - GROUP_SLACK_BYTES} bytes. Write less at once.`,
      )
    }
    // Entries of the directory take room too: at most as much again as the smallest batches do.
    const wanted = Math.min(2 * bytes + GROUP_SLACK_BYTES, max)
    const after = this.open.bytes + wanted
    const isReserved = this.#reservedUntil > this.open.bytes
    const isTooMuch = after > max || (!isReserved && after > this.#limits.commitBytesMax)
    if (isTooMuch && !this.#isClosing && !this.open.isEmpty) this.closeOpen()
    this.#reservedUntil = Math.max(this.#reservedUntil, this.open.bytes + wanted)
  }

  touch(): void {
    if (this.#failure !== undefined) return
    this.#isTouched = true
    if (!this.#isScheduled) this.#schedule()
  }

  /** hot path: with one timer for all that comes while it runs. */
  touchSoon(): void {
    if (this.#failure !== undefined) return
    this.#isLingering = true
    this.#lingerTimer ??= this.#platform.scheduler.after(this.#limits.lingerMs, () => {
      this.#lingerTimer = undefined
      if (this.#isLingering) this.touch()
    })
  }

  /** Resolves once `ticket` is durable. */
  whenCommitted(ticket: Ticket): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.committedTicket >= ticket) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ ticket, resolve, reject }))
  }

  /** Resolves once the open commit and all before it are durable. @throws MillraceError `disk_full` as soon as the journal has no room for one */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    let stop: (() => void) | undefined
    const full = new Promise<never>((_, reject) => {
      stop = this.#becameFull.add(() =>
        reject(
          new MillraceError(
            'disk_full',
            'The journal has no room for what is pending: it was not confirmed and is not kept. Free some space.',
          ),
        ),
      )
    })
    if (this.#isDue || this.#isLingering) this.closeOpen()
    if (this.#isFull && !this.#isWriting) this.#write()
    try {
      await Promise.race([this.whenCommitted(this.open.ticket - 1), full])
    } finally {
      stop?.()
    }
  }

  /** Something gave room back: tries again at once. */
  lookAgain(): void {
    if (this.#failure !== undefined) return
    this.#headroomBytes = this.#journal.headroomBytes()
    if (this.#isFull && !this.#isWriting) this.#write()
    this.#tellOfRoom()
    // With all publishers waiting there may be no commits, in whose course space is won back otherwise.
    if (this.#isFull || this.#owesRelief) this.#hooks.makeRoom()
  }

  stop(): void {
    this.#stopTimers()
    this.#failure ??= new MillraceError('closed', 'The store is closed.')
    this.#rejectWaiters(this.#failure)
  }

  closeOpen(): void {
    assert(!this.#isClosing, 'a commit closes while it is being closed')
    this.#isClosing = true
    this.closing.call()
    this.#hooks.fill(this.open, Math.floor((this.#hardBytesMax * 31) / 32) - this.open.bytes)
    this.#isClosing = false
    this.#isTouched = false
    this.#isLingering = false
    this.#reservedUntil = 0
    const commit = this.open.close(
      this.#hooks.nextLogId(),
      this.#hooks.checkpointFirst(),
      this.#hooks.checkpointLast(),
      this.#crc32c,
    )
    assert(
      commit.bytes <= this.#hardBytesMax,
      'bytes of a commit, at most what the journal takes',
      commit.bytes,
      this.#hardBytesMax,
    )
    this.#queue.push(commit)
    this.#queuedBytes += commit.bytes
    if (!this.#isWriting && !this.#isFull) this.#write()
  }

  #makeRoom(bytes: number): void {
    if (this.#isClosing) {
      if (this.open.bytes + bytes <= (this.#hardBytesMax * 15) / 16) return
      throw new MillraceError('record_too_large', 'What is written while a commit closes does not fit into it.')
    }
    if (!this.open.isEmpty) this.closeOpen()
  }

  #schedule(): void {
    this.#isScheduled = true
    this.#platform.scheduler.endOfTurn(this.#turnEnds)
  }

  readonly #turnEnds = (): void => {
    this.#isScheduled = false
    // While a commit is under way the next one goes on filling; it closes when that one returns.
    if (this.#failure === undefined && this.#queue.length === 0 && this.#isDue) this.closeOpen()
  }

  #write(): void {
    this.#isWriting = true
    void this.#writeOne(this.#queue[0]!)
  }

  async #writeOne(commit: ClosedCommit): Promise<void> {
    const startedMs = this.#platform.clock.monotonicMs()
    const result = await this.#journal.append(commit.header.sequence, commit.parts, commit.checksum)
    this.#isWriting = false
    this.lastAppendMs = this.#platform.clock.monotonicMs() - startedMs
    this.#settle(commit, result)
  }

  #settle(commit: ClosedCommit, result: AppendResult): void {
    if (this.#failure !== undefined) return
    switch (result.kind) {
      case 'ok':
        this.#settleDurable(commit)
        return
      case 'full':
        this.#isFull = true
        this.#becameFull.call()
        this.#headroomBytes = this.#journal.headroomBytes()
        this.#startTimer()
        this.#tellOfRoom()
        return
      case 'conflict':
        this.#fail(
          new MillraceError(
            'outcome_unknown',
            'Another broker took over this journal: what was not confirmed is not kept here. Stop this broker or restart it.',
          ),
        )
        return
      case 'unknown':
        this.#fail(
          new MillraceError(
            'outcome_unknown',
            `Writing to the journal failed (${result.cause.message}). Restart the broker; it reads back what was kept.`,
            {
              cause: result.cause,
            },
          ),
        )
    }
  }

  #settleDurable(commit: ClosedCommit): void {
    const pendingBefore = this.pendingBytes
    this.#isFull = false
    this.#queue.shift()
    this.#queuedBytes -= commit.bytes
    this.#headroomBytes = this.#journal.headroomBytes()
    this.commits++
    this.committedBytes += commit.bytes
    this.#hooks.apply(commit)
    const ticket = commit.header.sequence + 1
    this.committedTicket = ticket
    if (this.#queue.length > 0) this.#write()
    else if (this.#isDue) this.closeOpen()
    this.committed.call(ticket)
    while (this.#waiters.length > 0 && this.#waiters[0]!.ticket <= ticket) this.#waiters.shift()!.resolve()
    if (pendingBefore > this.#limits.pendingBytesLow && this.pendingBytes <= this.#limits.pendingBytesLow) this.relief.call()
    this.#tellOfRoom()
  }

  /** When what the journal has room for is known again. */
  #tellOfRoom(): void {
    if (!this.#hasRoom) {
      this.#startTimer()
      // What is freed meanwhile needs no word.
      if (!this.#isToldShort) this.#platform.scheduler.endOfTurn(() => this.#tellShortage())
    } else if (this.#owesRelief) {
      this.#owesRelief = false
      this.#isToldShort = false
      this.relief.call()
    }
  }

  #tellShortage(): void {
    if (this.#isToldShort || this.#failure !== undefined || this.acceptsPublishes) return
    this.#isToldShort = true
    this.shortage.call()
  }

  /** Others write to the disk too, while nothing is committed here. */
  #watchRoom(): void {
    this.#watch = this.#platform.scheduler.after(this.#limits.roomWatchMs, () => {
      this.#headroomBytes = this.#journal.headroomBytes()
      this.#tellOfRoom()
      if (this.#failure === undefined) this.#watchRoom()
    })
  }

  #startTimer(): void {
    if (this.#timer !== undefined || this.#failure !== undefined) return
    this.#timer = this.#platform.scheduler.after(this.#limits.fullRetryMs, () => {
      this.#timer = undefined
      this.lookAgain()
    })
  }

  #fail(error: MillraceError): void {
    this.#failure = error
    this.#queue = []
    this.#queuedBytes = 0
    this.#stopTimers()
    this.#rejectWaiters(error)
    this.failed.call(error)
  }

  #stopTimers(): void {
    this.#timer?.cancel()
    this.#watch?.cancel()
    this.#lingerTimer?.cancel()
    this.#timer = undefined
  }

  #rejectWaiters(error: Error): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(error)
  }
}

/** Room for the directory entries of a reserved group. */
const GROUP_SLACK_BYTES = 1024
