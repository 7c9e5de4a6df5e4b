/**
 * A random program of scheduled publishes, cancels, crashes and clock steps, and a model that knows when each message must appear
 * and that it appears once.
 */
import { encodeBatch } from '@millrace/wire'
import { LOOK_MS } from '../../src/core/schedule/limits.ts'
import { TestBroker } from './harness.ts'

const encoder = new TextEncoder()
const QUEUES = ['one', 'two'] as const
type QueueName = (typeof QUEUES)[number]

interface Planned {
  readonly value: string
  readonly queue: QueueName
  readonly id: number
  readonly dueMs: number
  readonly ticket: number
  cancelled: { readonly ticket: number } | undefined
}

export class ScheduleModel {
  readonly test: TestBroker
  readonly log: string[] = []
  published = 0
  cancels = 0
  readonly #clockGoesBack: boolean
  /** In publish order; without those that a crash took. */
  #planned: Planned[] = []
  #values = 0
  #lastMs = 0

  constructor(test: TestBroker, clockGoesBack: boolean) {
    this.test = test
    this.#clockGoesBack = clockGoesBack
  }

  static async open(seed: number): Promise<ScheduleModel> {
    const isSmall = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: isSmall ? 2000 : 100_000, scheduledBytesMax: seed % 3 === 0 ? 3000 : 100_000 },
        storage: isSmall ? { commitBytesMax: 3000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    for (const name of QUEUES) test.broker.createQueue({ name })
    await test.settle()
    return new ScheduleModel(test, seed % 5 === 0)
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#drain()
  }

  async #step(): Promise<void> {
    const { test } = this
    const { platform } = test
    const dice = platform.below(100)
    if (dice < 45) this.#publish()
    else if (dice < 57) this.#cancel()
    else if (dice < 68) platform.runTurn()
    else if (dice < 76) await test.settle()
    else if (dice < 81) this.#fire(1 + platform.below(dice < 79 ? 3000 : 70_000))
    else if (dice < 88) await this.#advance(1 + platform.below(dice < 85 ? 3000 : 90_000))
    else if (dice < 91) this.#stepClock()
    else if (dice < 95) await this.#check()
    else if (dice < 96) await this.#recreate()
    else await this.#crash(dice === 96)
  }

  #publish(): void {
    const { platform, broker } = this.test
    const queue = QUEUES[platform.below(2)]!
    const count = 1 + platform.below(4)
    const values = Array.from({ length: count }, () => `m${this.#values++}`)
    const nowMs = platform.clock.nowMs()
    const spreads = [20, 3000, 90_000, 3 * 3_600_000, 5 * 86_400_000]
    const dueMs = nowMs + 1 + platform.below(spreads[platform.below(spreads.length)]!)
    this.#lastMs = Math.max(this.#lastMs, dueMs)
    const batch = encodeBatch(values.map((value) => ({ timestampMs: nowMs, value: encoder.encode(value) })))
    const id = broker.destination(`queue:${queue}`, false).publishLater(-1, batch, dueMs)
    this.#note(`${id}: ${values.join()} to ${queue} at ${dueMs}`)
    values.forEach((value, n) =>
      this.#planned.push({ value, queue, id: id + n, dueMs, ticket: broker.ticket(), cancelled: undefined }),
    )
    this.published += count
  }

  #cancel(): void {
    const { platform, broker } = this.test
    if (this.#planned.length === 0) return
    const fromEnd = platform.below(2) === 0 ? platform.below(8) : platform.below(this.#planned.length)
    const message = this.#planned.at(-1 - fromEnd)
    if (message === undefined) return
    const done = broker.cancelScheduled(message.id)
    this.#note(`cancel ${message.value}: ${done}`)
    if (done) {
      this.#assert(message.cancelled === undefined, `${message.value} is cancelled once`)
      message.cancelled = { ticket: broker.ticket() }
      this.cancels++
    } else {
      const isDue = message.dueMs <= platform.clock.nowMs() || this.#clockGoesBack
      this.#assert(message.cancelled !== undefined || isDue, `${message.value} can be cancelled`)
    }
  }

  #stepClock(): void {
    const { platform } = this.test
    const spreads = [5000, 100_000, 6 * 3_600_000, 4 * 86_400_000]
    const ms = platform.below(spreads[platform.below(spreads.length)]!)
    const back = this.#clockGoesBack && platform.below(2) === 0
    this.#note(`clock ${back ? -ms : ms}`)
    platform.stepWallClock(back ? -ms : ms)
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`advance ${ms}`)
    await this.test.advance(ms)
    // By then a clock that was set has been looked at.
    if (ms > LOOK_MS) await this.#check(true)
  }

  #fire(ms: number): void {
    this.#note(`fire ${ms}`)
    this.test.platform.fire(ms)
  }

  async #recreate(): Promise<void> {
    const { broker } = this.test
    this.#note('recreate two')
    broker.deleteQueue('two')
    broker.createQueue({ name: 'two' })
    this.#planned = this.#planned.filter(({ queue }) => queue === 'one')
    await this.test.settle()
  }

  async #crash(orderly: boolean): Promise<void> {
    const { test } = this
    const committed = test.broker.committedTicket
    this.#note(orderly ? 'restart' : `crash at ${committed}`)
    if (orderly) await test.restart()
    else await test.crash()
    await this.#resolve(orderly ? Infinity : committed)
    await this.#check()
  }

  /** After a crash: what was not known to be committed either happened or not. */
  async #resolve(committed: number): Promise<void> {
    const shown = await this.#shown()
    const kept: Planned[] = []
    for (const message of this.#planned) {
      const isPublished = shown[message.queue].includes(message.value)
      const isWaiting = this.test.broker.scheduled(message.id) !== undefined
      if (message.cancelled !== undefined && (isWaiting || isPublished)) {
        this.#assert(message.cancelled.ticket > committed, `the committed cancel of ${message.value} is kept`)
        message.cancelled = undefined
      }
      // Its id may be given again, if it was not kept.
      if (isWaiting || isPublished || message.ticket <= committed) kept.push(message)
      const isAccounted = isWaiting || isPublished || message.cancelled !== undefined
      this.#assert(isAccounted || message.ticket > committed, `${message.value}, which was committed, is kept`)
    }
    this.#planned = kept
  }

  async #drain(): Promise<void> {
    const { test } = this
    test.platform.stepWallClock(Math.max(0, this.#lastMs - test.platform.clock.nowMs()))
    await this.#advance(30_000)
    const waiting = test.broker.stats().scheduledMessages
    this.#assert(waiting === 0, `nothing waits at the end, not ${waiting}`)
    this.#assert(test.store.logs().length === 3, 'no slot is left')
  }

  async #check(nothingIsLate = false): Promise<void> {
    const { test } = this
    await test.advance(0)
    const nowMs = test.platform.clock.nowMs()
    const shown = await this.#shown()
    for (const queue of QUEUES) {
      const values = shown[queue]
      this.#assert(new Set(values).size === values.length, `each message is in ${queue} once`)
      const expected = this.#planned.filter((message) => message.queue === queue && message.cancelled === undefined)
      const known = new Map(expected.map((message) => [message.value, message]))
      for (const value of values) {
        const message = known.get(value ?? '')
        this.#assert(message !== undefined, `${value} is in ${queue} although it was cancelled or lost`)
        this.#assert(message.dueMs <= nowMs || this.#clockGoesBack, `${value} is not early`)
      }
      if (!this.#clockGoesBack) this.#checkOrder(values.map((value) => known.get(value!)!))
      const waiting = expected.filter((message) => !values.includes(message.value))
      for (const message of waiting) {
        const address = test.broker.scheduled(message.id)
        this.#assert(!nothingIsLate || message.dueMs > nowMs, `${message.value} is not late`)
        this.#assert(address === `queue:${queue}`, `${message.value} waits for ${queue}, not ${address}`)
      }
      const { scheduled } = test.broker.queue(queue)
      this.#assert(scheduled === waiting.length, `${waiting.length} wait for ${queue}, it says ${scheduled}`)
    }
  }

  #checkOrder(messages: readonly Planned[]): void {
    for (let n = 1; n < messages.length; n++) {
      const before = messages[n - 1]!
      const after = messages[n]!
      const isInOrder = before.dueMs < after.dueMs || (before.dueMs === after.dueMs && before.id < after.id)
      this.#assert(isInOrder, `${before.value} (${before.dueMs}) comes before ${after.value} (${after.dueMs})`)
    }
  }

  async #shown(): Promise<Record<QueueName, (string | null)[]>> {
    const readers = QUEUES.map((queue) => this.test.read(`queue:${queue}`, 'earliest'))
    await this.test.settle()
    for (const { reader } of readers) reader.close()
    return { one: readers[0]!.values, two: readers[1]!.values }
  }

  #note(what: string): void {
    this.log.push(what)
  }

  #assert(condition: unknown, what: string): asserts condition {
    if (condition) return
    throw new Error(`${what}\n${this.log.slice(-60).join('\n')}`)
  }
}
