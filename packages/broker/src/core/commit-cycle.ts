import type { Clock } from '../ports/platform.ts'
import type { LogStore, Ticket } from '../storage/log-store.ts'
import { KIB } from '../base/units.ts'
import type { StateLog } from './state/state-log.ts'

/** Something that adds state to the commit that closes, and goes on when it is durable. */
export interface CommitMember {
  /** Owned by the CommitCycle. */
  gathered: boolean
  /** Writes what it has for this commit. @returns a figure that `committed` is given back */
  closing(ticket: Ticket): number
  committed(figure: number): void
  /** Writes what it has so far, because much has been gathered. */
  writeEarly(): void
}

/** State that may be gathered for a commit. More is written before it closes, so that it always fits in. */
const GATHERED_BYTES_MAX = 512 * KIB
const GATHERED_SHARE_MAX = 0.25
/** Runs of later deliveries that one commit records. */
const RECORDED_RUNS_MAX = 16_384

/** Who waits for whatever is committed next. */
export interface CommitWaiter {
  committed(): void
}

interface Sent {
  readonly ticket: Ticket
  readonly members: CommitMember[]
  readonly figures: number[]
}

/** Gathers over a turn who has something for the open commit, so that a commit visits nobody else. */
export class CommitCycle {
  readonly #store: LogStore
  readonly #stateLog: StateLog
  readonly #clock: Clock
  readonly #afterCommit: () => void
  readonly #gatheredBytesMax: number
  #open: CommitMember[] = []
  readonly #sent: Sent[] = []
  #waiting: CommitWaiter[] = []
  readonly #stop: (() => void)[]
  #recordable = RECORDED_RUNS_MAX
  /** Undefined until somebody asks. */
  #openedMs: number | undefined
  /** About the size of what members have gathered. They add to it. */
  gatheredBytes = 0
  /** Set while changes are made that belong into one commit, for which room was reserved. */
  together = false

  /** @param afterCommit runs after the members of a commit were told */
  constructor(store: LogStore, stateLog: StateLog, clock: Clock, afterCommit: () => void) {
    this.#clock = clock
    this.#store = store
    this.#stateLog = stateLog
    this.#afterCommit = afterCommit
    this.#gatheredBytesMax = Math.min(GATHERED_BYTES_MAX, store.limits.commitBytesMax * GATHERED_SHARE_MAX)
    this.#stop = [store.onClosing(() => this.#closing()), store.onCommitted((ticket) => this.#committed(ticket))]
  }

  /** When the open commit was begun, monotonic: one look at the clock for all that changes in it. Asked by those whose change has it closed. */
  get openedMs(): number {
    return (this.#openedMs ??= this.#clock.monotonicMs())
  }

  /** Visits `member` when the open commit closes. Does not by itself make it close: `store.touch` does. */
  gather(member: CommitMember): void {
    if (member.gathered) return
    member.gathered = true
    this.#open.push(member)
  }

  /** Whether the commit that closes takes one more run of later deliveries. */
  mayRecord(): boolean {
    return this.#recordable-- > 0
  }

  /** Writes state now if so much was gathered that it might not fit into the commit later. Called between whole changes. */
  bound(): void {
    if (this.gatheredBytes < this.#gatheredBytesMax || this.together) return
    // Closes the commit, with all that was gathered, unless it is empty or somebody's group is still growing in it.
    // In both cases there is room now for what follows, so that nothing closes the commit in between.
    this.#store.reserve(this.#store.limits.commitBytesMax)
    if (this.gatheredBytes === 0) return
    for (const member of this.#open) member.writeEarly()
    this.#stateLog.writeEarly()
    this.gatheredBytes = 0
  }

  /** Calls `committed` once, after the next commit. */
  awaitNext(waiter: CommitWaiter): void {
    this.#waiting.push(waiter)
  }

  stop(): void {
    for (const stop of this.#stop) stop()
  }

  #closing(): void {
    this.#openedMs = undefined
    const members = this.#open
    if (members.length > 0) {
      this.#open = []
      const ticket = this.#store.ticket()
      const figures: number[] = []
      for (const member of members) {
        figures.push(member.closing(ticket))
        member.gathered = false
      }
      this.#sent.push({ ticket, members, figures })
    }
    this.#stateLog.close()
    this.gatheredBytes = 0
    this.#recordable = RECORDED_RUNS_MAX
  }

  #committed(ticket: Ticket): void {
    while (this.#sent.length > 0 && this.#sent[0]!.ticket <= ticket) {
      const { members, figures } = this.#sent.shift()!
      for (let n = 0; n < members.length; n++) members[n]!.committed(figures[n]!)
    }
    if (this.#waiting.length > 0) {
      const waiting = this.#waiting
      this.#waiting = []
      for (const waiter of waiting) waiter.committed()
    }
    this.#afterCommit()
  }
}
