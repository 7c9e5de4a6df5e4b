import type { Session } from '../../protocols/session.ts'
import type { Log } from '../log/log.ts'

/** Half of the shortest interval between heartbeats that a client can ask for. */
const TICK_MS = 500
const WAIT_STEP_MS = 20

export interface RegistryLimits {
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
}

interface Entry {
  readonly session: Session
  readonly address: string
  /** Ends the connection without ceremony. */
  cut(): void
}

/** The live sessions of one listener: counts them, gives them the time, and drains them at the end. */
export class SessionRegistry {
  readonly #entries = new Set<Entry>()
  readonly #perAddress = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  readonly #listener: string
  readonly #limits: RegistryLimits
  readonly #log: Log
  #refusedUnreported = 0
  #accepted = 0

  constructor(listener: string, limits: RegistryLimits, log: Log) {
    this.#listener = listener
    this.#limits = limits
    this.#log = log
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Connections since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /** Whether one more connection from `address` is within the limits. */
  admits(address: string): boolean {
    const admitted =
      this.#entries.size < this.#limits.connectionsMax &&
      (this.#perAddress.get(address) ?? 0) < this.#limits.connectionsPerAddressMax
    if (!admitted) this.#refusedUnreported++
    return admitted
  }

  /** @returns call it when the connection is gone */
  add(session: Session, address: string, cut: () => void): () => void {
    const entry: Entry = { session, address, cut }
    this.#entries.add(entry)
    this.#accepted++
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    return () => {
      if (!this.#entries.delete(entry)) return
      const left = this.#perAddress.get(address)! - 1
      if (left === 0) this.#perAddress.delete(address)
      else this.#perAddress.set(address, left)
    }
  }

  /** Asks all sessions to finish; cuts those that are still there after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    for (const { session } of this.#entries) session.drain()
    const deadline = performance.now() + timeoutMs
    while (this.#entries.size > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS))
    clearInterval(this.#timer)
    for (const entry of this.#entries) entry.cut()
  }

  #tick(): void {
    const now = performance.now()
    for (const { session } of this.#entries) session.tick(now)
    // A flood of refused connections makes two lines a second, not a flood of lines.
    if (this.#refusedUnreported === 0) return
    this.#log.warn(
      'connection.refused',
      `${this.#refusedUnreported} connections to the listener ${this.#listener} were refused: a limit on connections is reached.`,
      {
        listener: this.#listener,
        refused: this.#refusedUnreported,
        open: this.#entries.size,
        ...this.#limits,
      },
    )
    this.#refusedUnreported = 0
  }
}
