import { type Message, MillraceError } from '@millrace/client'
import type { LaneInfo } from '../api.ts'
import type { LaneStore } from '../state/lane-store.ts'
import { StreamError, textOf } from '../stream-error.ts'
import type { Application } from './application.ts'
import type { LaneTask } from './lane-task.ts'
import { KEPT_ROUNDS, LEASE_EXTENSIONS, RETRY_MS_FIRST, RETRY_MS_LAST } from './limits.ts'
import { parseProgress, type Progress } from './progress.ts'
import { restoreLane } from './restore-lane.ts'
import type { Settings } from './settings.ts'

type Tokens = AsyncIterableIterator<Message>

/** What became of the message that stands for the lane. `left`: it is still held, and given back. */
type Outcome = 'held' | 'committed' | 'lost' | 'left'

/**
 * One partition of every topic of the application. It stands in line for the one message of the lane's queue; while it holds that
 * message, it works, and each commit takes the message and publishes the next. Somebody who lost the lane cannot commit: the broker refuses
 * to settle what is not held.
 *
 * waiting -> restoring -> running -> waiting (gave it up, or lost it) ... -> stopped
 */
export class Lane {
  readonly number: number
  /** Of this instance, when it stands in line: the one with fewer lanes comes first. */
  priority = 0
  readonly #application: Application
  #state: LaneInfo['state'] = 'waiting'
  #task: LaneTask | undefined
  #tokens: Tokens | undefined
  #isStopping = false
  #isLeaving = false
  #wake: (() => void) | undefined
  #isAwake = false
  #isAwaiting = false
  #held: HeldToken | undefined
  #idleRounds = 0

  constructor(application: Application, number: number) {
    this.#application = application
    this.number = number
  }

  get state(): LaneInfo['state'] {
    return this.#state
  }

  get task(): LaneTask | undefined {
    return this.#state === 'running' ? this.#task : undefined
  }

  /** The timestamp of the first record from outside that is not committed: minus infinity while that is not known, infinity when nothing is there. */
  get headMs(): number {
    if (this.#state === 'restoring') return -Infinity
    return this.task?.headMs ?? Infinity
  }

  /** Others have come further: it may be held up no more. */
  alignedAgain(): void {
    if (this.task?.isHeldUp === true) this.#nudge()
  }

  /** @returns undefined when the lane is not here, or its operators do not have that state */
  storeOf(name: string): LaneStore | undefined {
    const task = this.task
    if (task === undefined) return undefined
    for (const store of task.stores) if (store.name === name) return store
    return undefined
  }

  /** Runs until it is stopped. @throws StreamError, MillraceError */
  async run(): Promise<void> {
    try {
      while (!this.#isStopping) {
        const { settings, topology } = this.#application
        const { client, leaseMs } = settings
        const tokens = client.queue(topology.laneQueue(this.number)).messages({ prefetch: 2, leaseMs, priority: this.priority })
        this.#tokens = tokens
        try {
          await this.#serve(tokens)
        } finally {
          await tokens.return?.()
        }
      }
    } finally {
      this.#drop()
      this.#state = 'stopped'
      this.#application.alignment.moved()
    }
  }

  /** Finishes the batch under way, and ends. */
  stop(): void {
    this.#isStopping = true
    this.#nudge()
    if (this.#isAwaiting) void this.#tokens?.return?.()
  }

  /** Finishes the batch under way, and stands in line again. */
  leave(): void {
    this.#isLeaving = true
    this.#nudge()
  }

  /** Stands in line with another priority. */
  async standAgain(priority: number): Promise<void> {
    if (this.#state !== 'waiting' || this.priority === priority) return
    this.priority = priority
    await this.#tokens?.return?.()
  }

  /** The connection is gone, and with it the message, wherever it was: whoever comes first has the lane next. */
  disconnected(): void {
    this.#held?.lost()
    if (this.#isAwaiting && this.#state === 'running') this.#toWaiting()
  }

  /** Called from time to time: the state of a lane that does not come back is not kept for ever. */
  tidy(): void {
    this.#idleRounds = this.#state === 'waiting' ? this.#idleRounds + 1 : 0
    if (this.#idleRounds > KEPT_ROUNDS) this.#drop()
  }

  // ---- holding the lane -----------------------------------------------------------------------------------------------

  async #serve(tokens: Tokens): Promise<void> {
    let next = tokens.next()
    for (;;) {
      this.#isAwaiting = true
      const { done, value: token } = await next
      this.#isAwaiting = false
      if (done === true) return
      const held = new HeldToken(token, this.#application, () => this.#nudge())
      this.#held = held
      next = tokens.next()
      void held.until(next)
      let outcome: Outcome
      try {
        await this.#prepare(held)
        outcome = await this.#work(held)
      } finally {
        held.end()
        this.#held = undefined
      }
      if (outcome === 'committed') continue
      // Its state is of use if the lane comes back as it was.
      this.#toWaiting()
      if (outcome === 'lost') return
      this.#isLeaving = false
      this.#drop()
      return
    }
  }

  #toWaiting(): void {
    this.#state = 'waiting'
    this.#application.alignment.moved()
    this.#application.laneChanged()
  }

  async #prepare({ token }: HeldToken): Promise<void> {
    const progress = this.#progressOf(token)
    if (this.#task?.continues(progress) !== true) {
      this.#drop()
      this.#state = 'restoring'
      this.#task = await restoreLane(this.#application, this.number, progress, () => {
        this.#nudge()
        this.#application.alignment.moved()
      })
    }
    if (this.#state === 'running') return
    this.#state = 'running'
    this.#application.alignment.moved()
    this.#application.laneChanged()
  }

  #drop(): void {
    this.#task?.close()
    this.#task = undefined
  }

  #progressOf(token: Message): Progress {
    try {
      return parseProgress(token)
    } catch (error) {
      const { settings, topology } = this.#application
      const what = `the progress in queue ${topology.laneQueue(this.number)} cannot be read: ${textOf(error)}`
      throw new StreamError(settings.name, what, { cause: error })
    }
  }

  // ---- work -----------------------------------------------------------------------------------------------------------

  /** Batches, until one is committed, or the lane is lost or given up. */
  async #work(held: HeldToken): Promise<Outcome> {
    const task = this.#task!
    let outcome: Outcome = 'held'
    while (outcome === 'held') {
      if (!task.isReady && !task.isDirty) await this.#something(task)
      if (held.isGone) return 'lost'
      if (this.#isLeaving || this.#isStopping) return 'left'
      let failure: unknown
      try {
        await task.fill()
      } catch (error) {
        failure = error
      }
      if (task.isDirty) outcome = await this.#commit(task, held)
      if (failure !== undefined) throw failure
    }
    return outcome
  }

  /** Waits for a record, or anything else that there is to do. */
  async #something(task: LaneTask): Promise<void> {
    if (!this.#isAwake) {
      const { platform } = this.#application.settings
      const sinceMs = platform.monotonicMs()
      const { idleMs } = task
      await new Promise<void>((resolve) => {
        const cancel = idleMs === Infinity ? undefined : platform.after(idleMs, resolve)
        this.#wake = () => {
          cancel?.()
          resolve()
        }
      })
      this.#wake = undefined
      if (!this.#isAwake) task.idle(Math.max(idleMs, platform.monotonicMs() - sinceMs))
    }
    this.#isAwake = false
  }

  #nudge(): void {
    this.#isAwake = true
    this.#wake?.()
  }

  async #commit(task: LaneTask, held: HeldToken): Promise<Outcome> {
    const { settings } = this.#application
    for (let delayMs = RETRY_MS_FIRST; !held.isGone; delayMs = Math.min(RETRY_MS_LAST, delayMs * 2)) {
      try {
        await held.during(() => task.commit(held.token))
        this.#application.alignment.moved()
        this.#application.laneChanged()
        return 'committed'
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        // Somebody else has the lane, or it is not known: what comes next in the queue tells.
        if (error.code === 'stale_delivery' || error.code === 'outcome_unknown') return 'lost'
        if (error.code === 'record_too_large' || error.code === 'limit_reached') return this.#tooLarge(task, error)
        if (!error.retryable || settings.client.state === 'closed') throw this.#commitError(error)
        if (this.#isStopping) return 'left'
        await settings.platform.sleep(delayMs)
      }
    }
    return 'lost'
  }

  /** Nothing of it was done: it is tried again with less. */
  #tooLarge(task: LaneTask, error: MillraceError): Outcome {
    const { taken } = task
    if (taken === 0) throw this.#commitError(error)
    task.shrink()
    task.rollback()
    if (taken === 1) task.leaveOut(error)
    return 'held'
  }

  #commitError(error: MillraceError): StreamError {
    const what = `lane ${this.number} cannot be committed: ${error.message}`
    return new StreamError(this.#application.settings.name, what, { cause: error })
  }
}

/** The message that stands for a lane, while it is held. */
class HeldToken {
  readonly token: Message
  /** It was lost: delivered again, here or elsewhere. */
  isGone = false
  #isSettling = false
  #hasEnded = false
  readonly #nudge: () => void
  readonly #settings: Settings
  #stopExtending!: () => void

  constructor(token: Message, { settings }: Application, nudge: () => void) {
    this.token = token
    this.#nudge = nudge
    this.#settings = settings
    this.#planExtension()
  }

  /** The next one means that this one is not held any more. A failure is told to whoever waits for the next. */
  async until(next: Promise<unknown>): Promise<void> {
    try {
      await next
    } catch {
      // Told where `next` is awaited.
    }
    this.lost()
  }

  /** While a commit is on its way nothing else is said about it. */
  async during(commit: () => Promise<void>): Promise<void> {
    this.#isSettling = true
    try {
      await commit()
    } finally {
      this.#isSettling = false
    }
  }

  end(): void {
    this.#hasEnded = true
    this.#stopExtending()
  }

  #planExtension(): void {
    const { platform, leaseMs } = this.#settings
    this.#stopExtending = platform.after(leaseMs / LEASE_EXTENSIONS, () => {
      this.#planExtension()
      if (!this.#isSettling) void this.#extend()
    })
  }

  async #extend(): Promise<void> {
    try {
      await this.token.extend()
    } catch (error) {
      // Whatever it is, a commit will find out whether the lane is still held.
      if (error instanceof MillraceError && error.code === 'stale_delivery') this.lost()
    }
  }

  /** A message that came on a connection that is gone, or that was given to somebody else. */
  lost(): void {
    if (this.#hasEnded) return
    this.isGone = true
    this.#nudge()
  }
}
