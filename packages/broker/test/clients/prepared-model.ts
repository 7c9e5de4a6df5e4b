/**
 * A random program of producers with prepared messages, who decide, do not know, or die, and of consumers in transactions and with idempotent
 * handlers, while the broker is killed at any commit. `prepared-ledger.ts` says where each message must be.
 */
import {
  type Claim,
  type Consumption,
  type Decision,
  idempotent,
  MemoryIdempotencyStore,
  type MillraceError,
  type PreparedForCheck,
  type PreparedProducer,
  type StoredMessage,
} from '@millrace/client'
import { type ClientProcess, CrashingBroker } from './crashing-broker.ts'
import { CrashingProgram } from './crashing-program.ts'
import { must } from '../core/must.ts'
import { CHECKS_MAX, FIRST_CHECK_MS, type Intent, PreparedLedger } from './prepared-ledger.ts'

const GROUP = 'orders'
/** Has a dedup window; its consumers are transactional. */
const ONCE = 'queue:once'
/** Has order by key and no dedup; its consumers are idempotent. */
const KEYED = 'queue:keyed'
const LEASE_MS = 3000

interface Producer {
  readonly process: ClientProcess
  readonly producer: PreparedProducer
}

export class PreparedModel extends CrashingProgram {
  readonly counts = { prepared: 0, told: 0, tooLate: 0, unknown: 0, asked: 0, dead: 0, crashes: 0, kills: 0, twice: 0 }
  readonly #ledger = new PreparedLedger()
  readonly #store: MemoryIdempotencyStore
  /** Of idempotent handlers, by number: the key for which it had its effect, and the fence that wrote it last. */
  readonly #rows = new Map<number, Pick<Claim, 'key' | 'fence'>>()
  #producers: Producer[] = []
  #consumers: { readonly process: ClientProcess; readonly consumption: Consumption }[] = []
  #isCalm = false

  private constructor(broker: CrashingBroker) {
    super(broker)
    this.#store = new MemoryIdempotencyStore({ now: () => broker.time.clientPlatform.monotonicMs() })
  }

  static async open(seed: number): Promise<PreparedModel> {
    const model = new PreparedModel(await CrashingBroker.open(seed))
    const { broker } = model.broker
    broker.createQueue({ name: 'once', dedup: { windowMs: 1e9 }, delivery: { leaseMs: LEASE_MS } })
    const backoff = { kind: 'fixed', initialMs: 50 } as const
    broker.createQueue({ name: 'keyed', delivery: { leaseMs: LEASE_MS, order: 'key', backoff } })
    broker.createQueue({ name: 'effects' })
    await model.#spawnProducer()
    await model.#spawnConsumer()
    return model
  }

  protected override async step(): Promise<void> {
    const { time } = this.broker
    const dice = this.broker.below(100)
    if (dice < 30) this.#prepare()
    else if (dice < 50) await this.#decide()
    else if (dice < 55) this.#kill(this.#producers)
    else if (dice < 58) this.#kill(this.#consumers)
    else if (dice < 62 && this.#producers.length < 3) await this.#spawnProducer()
    else if (dice < 66 && this.#consumers.length < 3) await this.#spawnConsumer()
    else if (dice < 76) this.planCrash(4)
    else if (dice < 78) await this.restart()
    else if (dice < 90) await this.advance(1 + this.broker.below(300))
    else if (dice < 94) await this.advance(FIRST_CHECK_MS)
    else await time.settle()
  }

  // ---- producers ------------------------------------------------------------------------------------------------------

  async #spawnProducer(): Promise<void> {
    const process = await this.connect()
    const opening = process.client.preparedProducer(GROUP, {
      firstCheckMs: FIRST_CHECK_MS,
      checkEveryMs: 500,
      checksMax: CHECKS_MAX,
      check: (message) => this.#check(process, message),
    })
    await this.broker.time.until(opening)
    this.#producers.push({ process, producer: await opening })
    this.note('a producer comes')
  }

  #check(process: ClientProcess, message: PreparedForCheck): Decision {
    return this.#watched(() => {
      const intent = this.#ledger.asked(Number(message.text()), message.destination, this.nowMs)
      this.counts.asked++
      // Its producer may be at work still.
      if (intent.row === undefined && !intent.isPuzzling && (this.#isCalm || this.broker.below(3) > 0)) intent.row = 'rollback'
      this.note(`asked about ${intent.number} #${message.attempt}: ${intent.row}`)
      if (!this.#isCalm && this.broker.below(8) === 0) void this.#killSoon(process)
      return intent.row ?? 'unknown'
    })
  }

  #prepare(): void {
    const { process, producer } = this.anyOf(this.#producers) ?? {}
    if (process === undefined || producer === undefined) return
    const intent = this.#ledger.begin({
      destination: this.broker.below(2) === 0 ? ONCE : KEYED,
      producer: process,
      isPuzzling: this.broker.below(8) === 0,
      sinceMs: this.nowMs,
      crashesBefore: this.broker.crashes,
    })
    this.note(`prepare ${intent.number} for ${intent.destination}`)
    this.counts.prepared++
    void this.#prepared(intent, producer)
  }

  async #prepared(intent: Intent, producer: PreparedProducer): Promise<void> {
    try {
      const key = `k${intent.number % 4}`
      intent.prepared = await producer.prepare(intent.destination, String(intent.number), { key })
      intent.crashesAfter = this.broker.crashes
      if (intent.crashesAfter !== intent.crashesBefore) this.counts.twice++
      this.note(`${intent.number} is prepared`)
    } catch (error) {
      this.failure ??= error as Error
    }
  }

  /** The database is written, then the broker is told. */
  async #decide(): Promise<void> {
    const open = this.#ledger.intents.filter(
      ({ prepared, producer, isPuzzling, isTelling, isTold }) =>
        prepared !== undefined && !producer.isDead && !isPuzzling && !isTelling && !isTold,
    )
    const intent = this.anyOf(open)
    if (intent === undefined) return
    intent.row ??= this.broker.below(3) > 0 ? 'commit' : 'rollback'
    this.note(`${intent.row} ${intent.number}`)
    intent.isTelling = true
    // A process may die between the two, or while the broker hears of it.
    const dice = this.broker.below(8)
    if (dice > 0) void this.#tell(intent, intent.prepared!)
    if (dice <= 1) await this.#killSoon(intent.producer)
  }

  async #tell(intent: Intent, prepared: NonNullable<Intent['prepared']>): Promise<void> {
    try {
      await (intent.row === 'commit' ? prepared.commit() : prepared.rollback())
      intent.isTold = true
      this.counts.told++
    } catch (error) {
      this.#watched(() => this.#notTold(intent, (error as MillraceError).code))
    }
  }

  #notTold(intent: Intent, code: string): void {
    this.note(`${intent.number} is not decided by its producer: ${code}`)
    if (code === 'stale_delivery') {
      this.#ledger.tooLate(intent, this.nowMs)
      this.counts.tooLate++
      return
    }
    must(code === 'outcome_unknown' || code === 'transaction_timeout', `${intent.number}: ${code}`)
    intent.wasUnknown = true
    intent.isTelling = false
    this.counts.unknown++
  }

  // ---- consumers ------------------------------------------------------------------------------------------------------

  async #spawnConsumer(): Promise<void> {
    const process = await this.connect()
    const { client } = process
    this.note('a consumer comes')
    const options = { concurrency: 4, prefetch: 8, retryDelayMs: 20 }
    const transactional = client.queue('once').consume(
      async (message, transaction) => {
        this.#seen(Number(message.text()), ONCE)
        transaction.publish('queue:effects', message.text())
        await this.#mayFail(process)
      },
      { ...options, transactional: true },
    )
    const handler = idempotent(
      this.#store,
      async (message, { key, fence }) => {
        const number = Number(message.text())
        this.#seen(number, KEYED)
        await this.#mayFail(process)
        const before = this.#rows.get(number)
        if (before !== undefined && before.fence > fence) throw new Error('another is at work')
        this.#watched(() =>
          must(before === undefined || before.key === key, `${number} has effects as ${before?.key} and ${key}`),
        )
        this.#rows.set(number, { key, fence })
        await this.#mayFail(process)
      },
      { consumer: 'model', leaseMs: 5000, retentionMs: 1e9, waitMs: 0, fingerprint: (message) => message.text() },
    )
    const consumption = client.queue('keyed').consume(handler, options)
    this.#consumers.push({ process, consumption: transactional }, { process, consumption })
  }

  /** Work takes time, and fails now and then. */
  async #mayFail(process: ClientProcess): Promise<void> {
    const dice = this.#isCalm ? 9 : this.broker.below(10)
    if (dice < 3)
      await new Promise<void>((resolve) => void this.broker.time.sleep(dice * 400).then(() => process.isDead || resolve()))
    if (dice === 3) throw new Error('it fails')
  }

  #seen(number: number, destination: string): void {
    this.note(`${number} is seen in ${destination}`)
    this.#watched(() => this.#ledger.seen(number, destination))
  }

  // ---- crashes and the end --------------------------------------------------------------------------------------------

  #kill(of: { readonly process: ClientProcess }[]): void {
    const victim = this.anyOf(of)?.process
    if (victim === undefined) return
    this.note('kill a client')
    victim.kill()
    this.counts.kills++
    this.#producers = this.#producers.filter(({ process }) => process !== victim)
    this.#consumers = this.#consumers.filter(({ process }) => process !== victim)
  }

  /** While something is on its way. */
  async #killSoon(victim: ClientProcess): Promise<void> {
    for (let turns = this.broker.below(10); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    if (!this.#isCalm) this.#kill(this.#producers.filter(({ process }) => process === victim))
  }

  protected override async drain(): Promise<void> {
    this.note('drain')
    await this.broker.calm()
    this.#isCalm = true
    await this.#spawnProducer()
    await this.#spawnConsumer()
    for (let rounds = 0; rounds < 40; rounds++) {
      await this.advance(1000)
      this.throwFailure()
    }
    this.counts.crashes = this.broker.crashes
    for (const name of ['once', 'keyed', `prepared-${GROUP}`]) {
      const { ready, inFlight, scheduled } = this.broker.broker.queue(name)
      must(ready + inFlight + scheduled === 0, `${name} keeps ${ready}, ${inFlight} and ${scheduled}`)
    }
    const effects = howOften(await this.#all('effects'))
    for (const number of this.#rows.keys()) effects.set(number, (effects.get(number) ?? 0) + 1)
    const dead = await this.#all(`prepared-${GROUP}-dead`)
    for (const { headers } of dead) {
      const [reason, attempts] = ['reason', 'attempts'].map((name) => textOf(headers[`millrace-dead-${name}`]))
      // What was with somebody when the broker was killed comes once more.
      const isEnough = Number(attempts) >= CHECKS_MAX && Number(attempts) <= CHECKS_MAX + this.broker.crashes
      must(reason === 'max-attempts' && isEnough, `it died of ${reason} after ${attempts} questions`)
    }
    this.counts.dead = dead.length
    this.#ledger.check(effects, howOften(dead))
  }

  async #all(queue: string): Promise<readonly StoredMessage[]> {
    const { client } = this.#consumers[0]!.process
    const peeking = client.queue(queue).peek({ max: 1000 })
    await this.broker.time.until(peeking)
    return peeking
  }

  /** What is wrong is told to the program, and to whoever called. */
  #watched<T>(look: () => T): T {
    try {
      return look()
    } catch (error) {
      this.failure ??= error as Error
      throw error
    }
  }
}

/** How often each number is there. */
function howOften(messages: readonly StoredMessage[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const message of messages) counts.set(Number(message.text()), (counts.get(Number(message.text())) ?? 0) + 1)
  return counts
}

function textOf(header: Uint8Array | null | undefined): string {
  return new TextDecoder().decode(header ?? new Uint8Array(0))
}
