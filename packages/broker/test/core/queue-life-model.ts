/**
 * A random program of queues that end by themselves: with the time that nobody uses them, with their last consumer, with the broker. The model
 * knows when each must be there, when it may be gone and when it must, also after crashes; and that what was in it ends with it.
 */
import { TestBroker, type TestConsumer } from './harness.ts'
import { must } from './must.ts'

const NAMES = ['a', 'b', 'c', 'd']
/** Tells the queues that had one name apart: it is their `maxAttempts`. */
const MARK_FIRST = 1000

interface Life {
  readonly mark: number
  readonly expireMs: number | undefined
  readonly autoDelete: boolean
  readonly durable: boolean
  readonly consumers: Set<TestConsumer>
  /** Somebody used it at this time, or later. */
  usedAtMs: number
  /** Tickets of what was published. */
  published: number[]
}

/** What became of a name. */
interface Change {
  readonly life: Life | undefined
  readonly ticket: number
}

export class QueueLifeModel {
  readonly counts = { created: 0, expired: 0, autoDeleted: 0, ended: 0, crashes: 0, undone: 0 }
  readonly #test: TestBroker
  readonly #log: string[] = []
  /** By name: the last change that is certain, and those since. */
  readonly #changes = new Map<string, Change[]>(NAMES.map((name) => [name, [{ life: undefined, ticket: -1 }]]))
  #marks = MARK_FIRST

  private constructor(test: TestBroker) {
    this.#test = test
  }

  static async open(seed: number): Promise<QueueLifeModel> {
    return new QueueLifeModel(await TestBroker.open({ limits: { stateLogBytesFloor: seed % 2 === 0 ? 1000 : 100_000 } }, seed))
  }

  async run(steps: number): Promise<void> {
    try {
      for (let n = 0; n < steps; n++) {
        await this.#step()
        this.#look()
      }
      await this.#test.settle()
      this.#look()
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#log.slice(-40).join('\n')}`, { cause: error })
    }
  }

  async #step(): Promise<void> {
    const { platform } = this.#test
    const name = NAMES[platform.below(NAMES.length)]!
    const life = this.#lifeOf(name)
    const dice = platform.below(100)
    if (dice < 15) this.#create(name, life)
    else if (dice < 27 && life !== undefined) {
      this.#join(name, life)
      // For a moment only.
      if (dice < 20) await this.#leave(name, life)
    } else if (dice < 42 && life !== undefined) await this.#leave(name, life)
    else if (dice < 55 && life !== undefined) this.#publish(name, life)
    else if (dice < 58 && life !== undefined) this.#delete(name, life)
    else if (dice < 64) platform.runTurn()
    else if (dice < 74) await this.#test.settle()
    else if (dice < 92) await this.#advance(1 + platform.below(platform.below(3) === 0 ? 20_000 : 3000))
    else await this.#crash(dice >= 97)
  }

  // ---- the program ----------------------------------------------------------------------------------------------------

  #create(name: string, life: Life | undefined): void {
    const { broker, platform } = this.#test
    const options = {
      ...(platform.below(3) === 0 ? {} : { expireMs: 2000 + platform.below(8000) }),
      autoDelete: platform.below(3) === 0,
      durable: platform.below(4) > 0,
    }
    if (life !== undefined) return
    const mark = this.#marks++
    this.#note(`create ${name} as ${mark}: ${JSON.stringify(options)}`)
    broker.createQueue({ name, ...options, delivery: { maxAttempts: mark } })
    const made = {
      ...options,
      expireMs: options.expireMs,
      mark,
      consumers: new Set<TestConsumer>(),
      usedAtMs: this.#nowMs,
      published: [],
    }
    this.#changed(name, made)
    this.counts.created++
  }

  #join(name: string, life: Life): void {
    this.#note(`join ${name}`)
    life.consumers.add(this.#test.consume(`queue:${name}`, 1 + this.#test.platform.below(3), {}))
    life.usedAtMs = this.#nowMs
  }

  async #leave(name: string, life: Life): Promise<void> {
    const [consumer] = life.consumers
    if (consumer === undefined) return
    this.#note(`leave ${name}`)
    consumer.consumer.close()
    life.consumers.delete(consumer)
    life.usedAtMs = this.#nowMs
    if (!life.autoDelete || life.consumers.size > 0) return
    this.#changed(name, undefined)
    this.counts.autoDeleted++
    if (this.#test.platform.below(2) === 0) await this.#test.settle()
  }

  #publish(name: string, life: Life): void {
    this.#note(`publish to ${name}`)
    this.#test.publish(`queue:${name}`, 'x')
    life.published.push(this.#test.broker.ticket())
  }

  #delete(name: string, life: Life): void {
    this.#note(`delete ${name}`)
    life.consumers.clear()
    this.#test.broker.deleteQueue(name)
    this.#changed(name, undefined)
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`advance ${ms}`)
    await this.#test.advance(ms)
  }

  async #crash(isOrderly: boolean): Promise<void> {
    const committed = isOrderly ? Infinity : this.#test.broker.committedTicket
    this.#note(isOrderly ? 'restart' : `crash at ${committed}`)
    this.counts.crashes++
    if (isOrderly) await this.#test.restart()
    else await this.#test.crash()
    for (const [name, changes] of this.#changes) this.#resolve(name, changes, committed)
  }

  /** Of what was not certain some may have happened, up to any of the changes. */
  #resolve(name: string, changes: Change[], committed: number): void {
    const certain = changes.findLastIndex(({ ticket }) => ticket <= committed)
    const possible = changes.slice(Math.max(0, certain)).map(({ life }) => (life?.durable === true ? life : undefined))
    const mark = this.#markOf(name)
    const found = possible.findLast((life) => life?.mark === mark)
    must(found !== undefined || mark === undefined, `${name} is ${mark} after the crash`)
    must(
      mark !== undefined || possible.includes(undefined),
      `${name} is lost, and must be ${possible.map((life) => life?.mark).join(' or ')}`,
    )
    if (changes.at(-1)!.life !== undefined && found === undefined && changes.at(-1)!.life!.durable) this.counts.undone++
    if (changes.at(-1)!.life?.durable === false) this.counts.ended++
    this.#changes.set(name, [{ life: found, ticket: -1 }])
    if (found === undefined) return
    found.consumers.clear()
    found.usedAtMs = this.#nowMs
    const { ready, inFlight } = this.#test.broker.queue(name)
    const kept = found.published.filter((ticket) => ticket <= committed).length
    const what = `${name} has ${ready} and ${inFlight} of ${found.published.length}, ${kept} were committed`
    must(ready + inFlight >= kept && ready + inFlight <= found.published.length, what)
    found.published = Array.from({ length: ready + inFlight }, () => -1)
  }

  // ---- what must hold -------------------------------------------------------------------------------------------------

  #look(): void {
    for (const name of NAMES) {
      const life = this.#lifeOf(name)
      const mark = this.#markOf(name)
      if (life === undefined) {
        must(mark === undefined, `${name} is ${mark}, and must be gone`)
        continue
      }
      if (life.consumers.size > 0) life.usedAtMs = this.#nowMs
      const idleMs = this.#nowMs - life.usedAtMs
      const expireMs = life.expireMs ?? Infinity
      if (mark === life.mark) {
        // It is looked at eight times in that time, and gone before a quarter more.
        must(idleMs < expireMs * 1.25 + 2, `${name} is there after ${idleMs} ms without use, of ${expireMs}`)
        const { ready, inFlight } = this.#test.broker.queue(name)
        must(ready + inFlight <= life.published.length, `${name} has ${ready} and ${inFlight} of ${life.published.length}`)
        continue
      }
      must(mark === undefined && idleMs >= expireMs, `${name} is ${mark}, after ${idleMs} ms without use, of ${expireMs}`)
      this.#note(`${name} has expired`)
      this.#changed(name, undefined)
      this.counts.expired++
    }
  }

  #markOf(name: string): number | undefined {
    return this.#test.broker.queues().find((queue) => queue.name === name)?.delivery.maxAttempts
  }

  #lifeOf(name: string): Life | undefined {
    return this.#changes.get(name)!.at(-1)!.life
  }

  #changed(name: string, life: Life | undefined): void {
    this.#changes.get(name)!.push({ life, ticket: this.#test.broker.ticket() })
  }

  get #nowMs(): number {
    return this.#test.platform.clock.monotonicMs()
  }

  #note(what: string): void {
    this.#log.push(what)
  }
}
