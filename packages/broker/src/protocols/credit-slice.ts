// hot path (bench/src/native.ts, packages/broker/test/amqp/throughput.mjs)
import { deliveryLimits as limits } from './limits.ts'

/**
 * How much of a client's credit the broker has at a time: slices of about `sliceBytes`, so that a client that asks for much and reads slowly never has
 * more than a slice under way.
 */
export class CreditSlice {
  /** Credit that the broker has not used yet. */
  #passed = 0
  #messageBytes: number
  readonly #sliceBytes: number

  /** @param messageBytes what a message is taken to weigh until the first was seen @param share of a whole slice that this one is */
  constructor(messageBytes: number, share: number = 1) {
    this.#messageBytes = messageBytes
    this.#sliceBytes = limits.sliceBytes * share
  }

  get passed(): number {
    return this.#passed
  }

  /**
   * Nothing while the broker has more than half of a slice.
   * @param held credit that the broker does not have yet
   * @returns messages to grant
   */
  pass(held: number): number {
    if (held <= 0) return 0
    const slice = Math.min(limits.sliceMessagesMax, Math.max(1, Math.floor(this.#sliceBytes / this.#messageBytes)))
    if (this.#passed * 2 > slice) return 0
    const messages = Math.min(held, slice - this.#passed)
    this.#passed += messages
    return messages
  }

  /** @param bytes what they weigh together */
  delivered(messages: number, bytes: number): void {
    this.#passed = Math.max(0, this.#passed - messages)
    // Follows growth at once and shrinkage slowly: being wrong upwards costs a turn, downwards memory.
    const weight = bytes / Math.max(1, messages)
    this.#messageBytes = Math.max(weight, this.#messageBytes * 0.875 + weight * 0.125)
  }

  /** The broker was told to forget what it has. @returns how much that was */
  takeBack(): number {
    const passed = this.#passed
    this.#passed = 0
    return passed
  }
}
