// hot path (bench/src/native.ts)

/** What a subscriber may have under way or hold, and how it gives back what it is done with. */
export interface Credit {
  /** A new subscription begins. @returns the credit that it begins with */
  restart(): number
  /** A delivery of so many messages came. */
  seen(bytes: number, messages: number): void
  /** The user is done with so many messages. @returns whether it is worth a `grant` */
  free(messages: number): boolean
  /** The credit to grant now, or 0. */
  take(): number
}

/** So many messages. Given back by halves, so that there is always some under way. */
export class FixedCredit implements Credit {
  readonly #messages: number
  readonly #freedMin: number
  #freed = 0

  constructor(messages: number) {
    this.#messages = Math.max(1, messages)
    this.#freedMin = Math.max(1, this.#messages >> 1)
  }

  restart(): number {
    this.#freed = 0
    return this.#messages
  }

  seen(): void {}

  free(messages: number): boolean {
    this.#freed += messages
    return this.#freed >= this.#freedMin
  }

  take(): number {
    if (this.#freed < this.#freedMin) return 0
    const messages = this.#freed
    this.#freed = 0
    return messages
  }
}

const MESSAGES_FIRST = 16
const MESSAGES_MAX = 4096

/** About so many bytes: few messages at first, then as many as their size allows. */
export class ByteCredit implements Credit {
  readonly #bytes: number
  #messageBytes = 0
  /** Messages granted and not given back yet. */
  #outstanding = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  restart(): number {
    this.#outstanding = this.#wanted
    return this.#outstanding
  }

  seen(bytes: number, messages: number): void {
    const each = bytes / messages
    // Follows growth at once: being wrong upwards costs a round trip, downwards memory.
    this.#messageBytes = Math.max(each, this.#messageBytes * 0.875 + each * 0.125)
  }

  free(messages: number): boolean {
    this.#outstanding -= messages
    return this.#outstanding * 2 <= this.#wanted
  }

  take(): number {
    const wanted = this.#wanted
    if (this.#outstanding * 2 > wanted) return 0
    const messages = wanted - Math.max(0, this.#outstanding)
    this.#outstanding = wanted
    return messages
  }

  get #wanted(): number {
    if (this.#messageBytes === 0) return MESSAGES_FIRST
    return Math.min(MESSAGES_MAX, Math.max(1, Math.floor(this.#bytes / this.#messageBytes)))
  }
}
