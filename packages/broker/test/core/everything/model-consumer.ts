/** A consumer of the model, which knows what it may still get. */
import type { VirtualPlatform } from '../../../sim/virtual-platform.ts'
import type { Delivery } from '../../../src/core/broker.ts'
import { type Message, TestConsumer } from '../harness.ts'
import type { Source } from './world.ts'

/** Who is told what comes. */
export interface Receiver {
  delivers(consumer: ModelConsumer, partition: number, messages: number): void
  receives(consumer: ModelConsumer, message: Message): void
}

export interface ConsumerTraits {
  readonly source: Source
  readonly priority: number
  readonly isExclusive: boolean
  /** It asks for more as soon as it gets something. */
  readonly refills: boolean
  /** Of the broker that it comes to. */
  readonly life: number
}

export class ModelConsumer extends TestConsumer {
  readonly traits: ConsumerTraits
  /** What it holds, as far as the model knows: perhaps less, where leases ran out. */
  readonly held: Message[] = []
  credit = 0
  isRetired = false
  /** It is to be told when there is nothing more. */
  isDraining = false
  partitions: ReadonlySet<number> | undefined
  readonly #receiver: Receiver

  constructor(receiver: Receiver, traits: ConsumerTraits) {
    super()
    this.#receiver = receiver
    this.traits = traits
  }

  get source(): Source {
    return this.traits.source
  }

  grant(messages: number): void {
    if (!this.isRetired) this.credit += messages
    this.consumer.grant(messages)
  }

  /** It takes its credit back, wants to know when there is nothing more, wants nothing more, or not of all partitions. @returns which */
  wantOther(platform: VirtualPlatform): string {
    const want = (['revoke', 'drain', 'retire', 'restrict'] as const)[platform.below(4)]!
    if (want === 'restrict') return this.restrict(platform)
    if (want === 'drain') this.isDraining = true
    else this.credit = 0
    if (want === 'retire') {
      this.isRetired = true
      this.isDraining = false
    }
    this.consumer[want]()
    return want
  }

  /** @returns to what */
  restrict(platform: VirtualPlatform): string {
    this.partitions = new Set([0, 1].filter(() => platform.below(2) === 0))
    this.consumer.restrict(this.partitions)
    return `restricted to [${[...this.partitions].join(' ')}]`
  }

  override deliver(delivery: Delivery): void {
    super.deliver(delivery)
    const messages = delivery.last - delivery.first + 1
    this.#receiver.delivers(this, delivery.partition, messages)
    this.credit -= messages
    for (const message of this.messages.splice(0)) this.#receiver.receives(this, message)
    this.deliveries.length = 0
    if (this.traits.refills) this.grant(messages)
  }

  override drained(): void {
    this.credit = 0
    this.isDraining = false
  }
}
