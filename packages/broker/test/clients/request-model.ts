/**
 * A random program of clients that ask, over a queue and over a topic with several subscriptions, and of others that answer: plainly, or in
 * one transaction with the ack. Both die, and the broker is killed at any commit. `request-ledger.ts` says what may become of a request.
 */
import type { Message, MillraceError, StoredMessage } from '@millrace/client'
import { type ClientProcess, CrashingBroker } from './crashing-broker.ts'
import { CrashingProgram } from './crashing-program.ts'
import { type Request, RequestLedger, SUBSCRIPTIONS } from './request-ledger.ts'
import { must } from '../core/must.ts'

/** Inboxes of clients that are gone without a word end by then. */
const INBOX_MS_MAX = 13 * 60_000

export class RequestModel extends CrashingProgram {
  readonly counts = { answered: 0, many: 0, timeouts: 0, crashes: 0, kills: 0 }
  readonly #ledger = new RequestLedger()
  /** Of all who ever asked. */
  readonly #names = new Map<ClientProcess, string>()
  #askers: ClientProcess[] = []
  #responders: ClientProcess[] = []
  #calmSinceMs = Infinity

  private constructor(broker: CrashingBroker) {
    super(broker)
  }

  static async open(seed: number): Promise<RequestModel> {
    const model = new RequestModel(await CrashingBroker.open(seed))
    const { broker } = model.broker
    broker.createQueue({ name: 'ask' })
    broker.createTopic({ name: 'question', partitions: 2 })
    for (const name of SUBSCRIPTIONS) broker.createSubscription({ topic: 'question', name })
    await model.#spawnAsker()
    await model.#spawnResponder()
    return model
  }

  protected override async step(): Promise<void> {
    const { time } = this.broker
    const dice = this.broker.below(100)
    if (dice < 40) this.#ask()
    else if (dice < 44) this.#kill('#askers')
    else if (dice < 50) this.#kill('#responders')
    else if (dice < 54 && this.#askers.length < 3) await this.#spawnAsker()
    else if (dice < 60 && this.#responders.length < 3) await this.#spawnResponder()
    else if (dice < 70) this.planCrash(5)
    else if (dice < 72) await this.restart()
    else if (dice < 88) await this.advance(1 + this.broker.below(300))
    else if (dice < 92) await this.advance(5000)
    else await time.settle()
  }

  // ---- asking ---------------------------------------------------------------------------------------------------------

  async #spawnAsker(): Promise<void> {
    const name = `asker_${this.#names.size}`
    const asker = await this.connect({ clientId: name })
    this.#names.set(asker, name)
    this.#askers.push(asker)
    this.note('an asker comes')
  }

  #ask(): void {
    const asker = this.anyOf(this.#askers)
    if (asker === undefined) return
    const dice = this.broker.below(4)
    const request = this.#ledger.begin({
      asker,
      wants: dice < 2 ? 'one' : dice === 2 ? 'all' : 'until-timeout',
      sinceMs: this.nowMs,
      timeoutMs: this.broker.below(3) === 0 ? 200 : 30_000,
      crashesBefore: this.broker.crashes,
    })
    this.note(`ask ${request.number}, ${request.wants}, within ${request.timeoutMs}`)
    void this.#await(request)
  }

  async #await(request: Request): Promise<void> {
    const { number, asker, wants, timeoutMs } = request
    const { client } = asker
    let end = 'answered'
    try {
      if (wants === 'one') this.#got(request, await client.request('queue:ask', String(number), { timeoutMs }))
      else {
        const answers = wants === 'all' ? SUBSCRIPTIONS.length : wants
        for await (const answer of client.request('topic:question', String(number), { timeoutMs, answers }))
          this.#got(request, answer)
      }
    } catch (error) {
      end = (error as Partial<MillraceError>).code ?? String(error)
    }
    this.note(`${number} ends: ${end}`)
    if (end === 'timeout') this.counts.timeouts++
    else if (wants === 'one') this.counts.answered++
    else this.counts.many++
    this.#watched(() => this.#ledger.ended(request, end, this.nowMs, this.broker.crashes, this.#calmSinceMs))
  }

  #got(request: Request, answer: StoredMessage): void {
    this.note(`${request.number} gets ${answer.text()}`)
    this.#watched(() => this.#ledger.answered(request, answer.text(), this.broker.crashes))
  }

  // ---- answering ------------------------------------------------------------------------------------------------------

  async #spawnResponder(): Promise<void> {
    const process = await this.connect({ clientId: 'responder' })
    this.#responders.push(process)
    this.note('a responder comes')
    const { client } = process
    const options = { concurrency: 4, prefetch: 8, retryDelayMs: 20 }
    const say = (from: string, message: StoredMessage): string => {
      const text = `${from} ${message.text()}`
      this.#ledger.says(text)
      return text
    }
    client.queue('ask').consume(async (message) => {
      await this.#mayFail(process)
      await replyIfAsked(message, say('queue', message))
      await this.#mayFail(process)
    }, options)
    for (const name of SUBSCRIPTIONS) {
      const subscription = client.topic('question').subscription(name)
      const inTransaction = { ...options, transactional: true } as const
      subscription.consume(async (message, transaction) => {
        transaction.reply(message, say(name, message))
        await this.#mayFail(process)
      }, inTransaction)
    }
  }

  /** Work takes time, and fails now and then. */
  async #mayFail(process: ClientProcess): Promise<void> {
    const dice = this.#calmSinceMs < Infinity ? 9 : this.broker.below(12)
    if (dice < 2) await new Promise<void>((resolve) => void this.broker.time.sleep(100).then(() => process.isDead || resolve()))
    if (dice === 3) throw new Error('it fails')
  }

  // ---- crashes and the end --------------------------------------------------------------------------------------------

  #kill(who: '#askers' | '#responders'): void {
    const all = who === '#askers' ? this.#askers : this.#responders
    const victim = this.anyOf(all)
    if (victim === undefined) return
    this.note(`kill one of ${who}`)
    victim.kill()
    all.splice(all.indexOf(victim), 1)
    this.counts.kills++
  }

  protected override async drain(): Promise<void> {
    this.note('drain')
    await this.broker.calm()
    // Questions of those who are gone are answered when their inboxes are gone as well.
    const isLong = this.broker.below(2) === 0
    if (isLong) {
      while (this.#responders.length > 0) this.#kill('#responders')
      await this.advance(INBOX_MS_MAX)
    }
    await this.#spawnResponder()
    await this.#spawnAsker()
    this.#calmSinceMs = this.nowMs
    this.counts.crashes = this.broker.crashes
    for (let n = 0; n < 8; n++) this.#ask()
    await this.advance(31_000)
    // Inboxes of those who are gone expire; those of the others are in use, though nothing comes.
    await this.advance(INBOX_MS_MAX)
    for (let n = 0; n < 8; n++) this.#ask()
    await this.advance(31_000)
    this.throwFailure()
    this.#ledger.check()
    const living = this.#askers.filter((asker) => this.#ledger.requests.some((request) => request.asker === asker))
    this.#checkInboxes(living)
    await this.broker.time.until(Promise.all(this.#askers.map(({ client }) => client.close())))
    this.#checkInboxes([])
  }

  /** Those of the living are there and empty, and no others: an answer to one that has expired makes none. */
  #checkInboxes(living: readonly ClientProcess[]): void {
    const inboxes = this.broker.broker.queues().filter(({ name }) => name.startsWith('reply-'))
    const text = inboxes.map(({ name, ready, inFlight }) => `${name} with ${ready} and ${inFlight}`).join(', ')
    const names = new Set(living.map((asker) => this.#names.get(asker)!))
    const inUse = inboxes.filter(({ name }) => names.has(/^reply-(.+)-/.exec(name)![1]!))
    must(inUse.length === living.length, `there are ${living.length} inboxes of the living: ${text}`)
    must(
      inUse.every(({ ready, inFlight }) => ready + inFlight === 0),
      `all answers are acked: ${text}`,
    )
    must(inboxes.length === inUse.length, `inboxes of the dead expire: ${text}`)
  }

  #watched(look: () => void): void {
    try {
      look()
    } catch (error) {
      this.failure ??= error as Error
    }
  }
}

/** As the guide says: another delivery would find nobody, either. */
async function replyIfAsked(message: Message, body: string): Promise<void> {
  try {
    await message.reply(body)
  } catch (error) {
    if ((error as Partial<MillraceError>).code !== 'not_found') throw error
  }
}
