import type { Deadline, Timers } from '../timers.ts'

/** A time that can be moved and called off, over the broker's deadlines, which cannot. Moving it later costs nothing. */
export class Alarm implements Deadline {
  readonly #timers: Timers
  readonly #ring: () => void
  #atMs = Infinity
  /** The earliest deadline that is waited for. */
  #armedMs = Infinity

  constructor(timers: Timers, ring: () => void) {
    this.#timers = timers
    this.#ring = ring
  }

  /** Rings once when the monotonic clock reaches `atMs`, and not at the time that was set before. */
  set(atMs: number): void {
    this.#atMs = atMs
    this.#arm()
  }

  clear(): void {
    this.#atMs = Infinity
  }

  due(nowMs: number): void {
    if (nowMs >= this.#armedMs) this.#armedMs = Infinity
    if (nowMs < this.#atMs) {
      this.#arm()
      return
    }
    this.#atMs = Infinity
    this.#ring()
  }

  #arm(): void {
    if (this.#atMs >= this.#armedMs) return
    this.#armedMs = this.#atMs
    this.#timers.add(this.#atMs, this)
  }
}
