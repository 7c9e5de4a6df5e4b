/**
 * A random program of processes that handle messages with `idempotent`: each call of the store and each effect is a step of its own,
 * and before and after any of them the process may be killed, so that its message comes again, to whoever. Messages come several times, also
 * with another payload, handlers fail, leases run out. The oracle knows what each call must answer; in the end each key has one effect.
 */
import type { Message } from '../../api.ts'
import { MillraceError } from '../../errors.ts'
import { type Claim, idempotent, type IdempotentMessage } from '../idempotent.ts'
import type { IdempotencyStore } from '../idempotency-store.ts'
import { ClaimsOracle, must } from './claims-oracle.ts'
import { FakeQueue, type QueuedMessage } from './fake-queue.ts'

export interface StoreInTime {
  /** Another instance on the same data, as another process has it. */
  open(): IdempotencyStore
  /** Moves the clock of the store. */
  advance(ms: number): Promise<void>
}

const KEYS_FIRST = 2
const PROCESSES = 3
/** Messages that one process handles at a time. */
const CONCURRENCY = 3
const LEASE_MS = 10_000
const RETENTION_MS = 1e9
const CONSUMER = 'billing'
const FAILURE = 'it fails'
/** What a message may end with, apart from being done, deferred or rejected. */
const ENDS = /^(it fails|stale_claim)( and stale_claim)?$/

interface Process {
  isDead: boolean
  readonly handle: (message: Message) => Promise<void>
  readonly held: Set<QueuedMessage>
}

/** What a process is about to do. */
interface Step {
  readonly process: Process
  readonly text: string
  readonly run: () => Promise<() => void>
}

/** The row that a handler wrote, in a database of its own. */
interface Effect {
  readonly fence: number
  readonly body: string
}

export class IdempotencyCrashModel {
  readonly counts = { kills: 0, runs: 0, failures: 0, expired: 0, fenced: 0, duplicates: 0, mismatches: 0 }
  readonly #below: (limit: number) => number
  readonly #stores: StoreInTime
  readonly #prefix: string
  readonly #oracle = new ClaimsOracle()
  readonly #queue = new FakeQueue()
  readonly #effects = new Map<string, Effect>()
  readonly #log: string[] = []
  #processes: Process[] = []
  #steps: Step[] = []
  #keys = 0
  #nowMs = 0
  /** Nobody fails or dies any more. */
  #isCalm = false
  #failure: Error | undefined

  /** @param prefix of all keys, where several programs share the data */
  constructor(below: (limit: number) => number, stores: StoreInTime, prefix = '') {
    this.#below = below
    this.#stores = stores
    this.#prefix = prefix
    for (let n = 0; n < KEYS_FIRST; n++) this.#publishNew()
    for (let n = 0; n < PROCESSES; n++) this.#processes.push(this.#newProcess())
  }

  async run(steps: number): Promise<void> {
    try {
      for (let n = 0; n < steps; n++) await this.#step()
      await this.#drain()
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#log.slice(-60).join('\n')}`, { cause: error })
    }
  }

  async #step(): Promise<void> {
    const dice = this.#below(100)
    if (dice < 4) this.#publishNew()
    else if (dice < 18) this.#publishAgain()
    else if (dice < 42) this.#deliver()
    else if (dice < 82) await this.#go()
    else if (dice < 84) this.#kill(this.#processes[this.#below(this.#processes.length)]!)
    else await this.#advance(1 + this.#below(this.#below(3) === 0 ? 500 : 2 * LEASE_MS))
    await this.#rest()
  }

  // ---- messages -------------------------------------------------------------------------------------------------------

  #publishNew(): void {
    const id = this.#keys++
    this.#queue.publish(`${this.#prefix}${id}`, `body of ${id}`)
  }

  #publishAgain(): void {
    const id = Math.max(0, this.#keys - 1 - this.#below(4))
    const isOther = this.#below(4) === 0
    this.#queue.publish(`${this.#prefix}${id}`, isOther ? `something else ${this.#below(2)}` : `body of ${id}`)
  }

  #deliver(): void {
    const process = this.#processes[this.#below(this.#processes.length)]!
    if (process.held.size >= CONCURRENCY) return
    const message = this.#queue.take(this.#nowMs, this.#below)
    if (message === undefined) return
    this.#note(`${this.#nameOf(process)} gets ${message.id} #${message.attempt}, ${message.body}`)
    process.held.add(message)
    void this.#handle(process, message)
  }

  /** As `consume` does: what returns is acked, what throws comes again. */
  async #handle(process: Process, message: QueuedMessage): Promise<void> {
    let error: unknown
    try {
      await process.handle(message)
    } catch (thrown) {
      error = thrown
    }
    // One that died says nothing; its message is back already.
    if (process.isDead) return
    process.held.delete(message)
    const code = error === undefined ? 'ok' : textOf(error)
    this.#note(`${this.#nameOf(process)} ends ${message.id}: ${code}`)
    this.#observe(() => this.#ended(message, code))
  }

  #ended(message: QueuedMessage, code: string): void {
    const key = `${CONSUMER}/id/${message.id}`
    if (message.isRejected) {
      this.#oracle.mustDiffer(key, message.body, this.#nowMs)
      this.counts.mismatches++
    } else if (message.isDeferred) return
    else if (code === 'ok') {
      must(this.#oracle.completed.has(key), `${key} is acked and was not done`)
      this.counts.duplicates++
    } else {
      must(ENDS.test(code), `${message.id} ends with ${code}`)
      if (code === FAILURE) this.#oracle.mustBeFree(key)
      if (code.endsWith('stale_claim')) this.counts.fenced++
      this.#queue.back(message)
    }
  }

  // ---- processes ------------------------------------------------------------------------------------------------------

  #newProcess(): Process {
    const store = this.#stores.open()
    const process: Process = {
      isDead: false,
      held: new Set(),
      handle: (message) => handler(message),
    }
    const handler = idempotent(this.#watched(process, store), (message, claim) => this.#work(process, message, claim), {
      consumer: CONSUMER,
      leaseMs: LEASE_MS,
      retentionMs: RETENTION_MS,
      waitMs: 0,
      fingerprint: (message) => message.text(),
    }) as Process['handle']
    return process
  }

  /** Calls wait until it is their turn, and the oracle hears what they did. */
  #watched(process: Process, store: IdempotencyStore): IdempotencyStore {
    const ending = (what: 'complete' | 'release', key: string, fence: number, result?: Uint8Array): Promise<void> =>
      this.#whenItsTurn(process, `${what} ${key} ${fence}`, async () => {
        const code = await codeOf(what === 'complete' ? store.complete(key, fence, result) : store.release(key, fence))
        if (what === 'complete') this.#oracle.completedWith(key, fence, code, this.#nowMs)
        else this.#oracle.releasedWith(key, fence, code)
        if (code !== undefined) throw new MillraceError(code, `the store says ${code}`)
      })
    return {
      begin: (key, options) =>
        this.#whenItsTurn(process, `begin ${key}`, async () => {
          const result = await store.begin(key, options)
          this.#note(`  ${JSON.stringify(result)}`)
          this.#oracle.begun(key, options, result, this.#nowMs)
          return result
        }),
      complete: (key, fence, result) => ending('complete', key, fence, result),
      release: (key, fence) => ending('release', key, fence),
      get: (key) => store.get(key),
      purge: (max) => store.purge(max),
    }
  }

  /** Writes its row unless somebody with a higher fence did, as the guide says. */
  async #work(process: Process, message: IdempotentMessage, claim: Claim): Promise<void> {
    const { key, fence } = claim
    const fails = (): boolean => !this.#isCalm && this.#below(6) === 0
    await this.#whenItsTurn(process, `work on ${key} with ${fence}`, async () => {
      this.counts.runs++
      if (fails()) this.#fail()
      const before = this.#effects.get(key)
      if (before !== undefined && before.fence >= fence) throw new MillraceError('stale_claim', 'somebody else is at work')
      this.#effects.set(key, { fence, body: message.text() })
    })
    if (fails()) this.#fail()
  }

  #fail(): never {
    this.counts.failures++
    throw new Error(FAILURE)
  }

  #whenItsTurn<T>(process: Process, text: string, act: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async (): Promise<() => void> => {
        try {
          const value = await act()
          return () => resolve(value)
        } catch (error) {
          if (!(error instanceof MillraceError) && (error as Error).message !== FAILURE) throw error
          return () => reject(error)
        }
      }
      if (!process.isDead) this.#steps.push({ process, text, run })
    })
  }

  /** One process goes one step further, or dies before or after it. */
  async #go(): Promise<void> {
    const step = this.#steps[this.#below(Math.max(1, this.#steps.length))]
    if (step === undefined) return
    this.#steps.splice(this.#steps.indexOf(step), 1)
    this.#note(`${this.#nameOf(step.process)}: ${step.text}`)
    const told = await step.run()
    if (!this.#isCalm && this.#below(20) === 0) this.#kill(step.process)
    else told()
  }

  #kill(process: Process): void {
    this.#note(`kill ${this.#nameOf(process)}`)
    process.isDead = true
    this.counts.kills++
    this.#steps = this.#steps.filter((step) => step.process !== process)
    for (const message of process.held) this.#queue.back(message)
    this.#processes[this.#processes.indexOf(process)] = this.#newProcess()
  }

  // ---- time and the end -----------------------------------------------------------------------------------------------

  async #advance(ms: number): Promise<void> {
    this.#note(`advance ${ms}`)
    this.#nowMs += ms
    if (ms >= LEASE_MS) this.counts.expired++
    await this.#stores.advance(ms)
  }

  async #drain(): Promise<void> {
    this.#note('drain')
    this.#isCalm = true
    for (let rounds = 0; this.#queue.size > 0 || this.#processes.some(({ held }) => held.size > 0); rounds++) {
      must(rounds < 5000, `${this.#queue.size} messages are not handled in the end`)
      this.#deliver()
      if (this.#steps.length > 0) await this.#go()
      else if (rounds % 10 === 0) await this.#advance(LEASE_MS)
      await this.#rest()
    }
    const store = this.#stores.open()
    for (let n = 0; n < this.#keys; n++) {
      const key = `${CONSUMER}/id/${this.#prefix}${n}`
      const entry = await store.get(key)
      must(entry?.state === 'done', `${key} is done: ${entry?.state}`)
      must(entry.fence === this.#oracle.fenceOf(key), `${key} is done with ${entry.fence}`)
      must(this.#effects.get(key)?.fence === entry.fence, `${key} has the effect of ${this.#effects.get(key)?.fence}`)
    }
  }

  /** Lets handlers come to their next step. */
  async #rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#failure !== undefined) throw this.#failure
  }

  #observe(look: () => void): void {
    try {
      look()
    } catch (error) {
      this.#failure ??= error as Error
    }
  }

  #nameOf(process: Process): string {
    return `p${this.#processes.indexOf(process)}`
  }

  #note(what: string): void {
    this.#log.push(what)
  }
}

/** A code or message; two of them where the handler failed and then its claim was not its own any more. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join(' and ')
  return error instanceof MillraceError ? error.code : (error as Error).message
}

async function codeOf(call: Promise<void>): Promise<string | undefined> {
  try {
    await call
    return undefined
  } catch (error) {
    if (error instanceof MillraceError) return error.code
    throw error
  }
}
