/** Whether both sides were heard of lately. Traffic of any kind counts; the clock is looked at once per tick. */
export class Heartbeats {
  #intervalMs = 0
  #receivedMs = 0
  #sentMs = 0
  #lookedMs = 0
  #received = true
  #sent = true

  /** @param seconds as agreed on; 0: none */
  start(seconds: number): void {
    this.#intervalMs = seconds * 1000
  }

  received(): void {
    this.#received = true
  }

  sent(): void {
    this.#sent = true
  }

  /** @param isDeaf nothing can have been heard, because nothing was read */
  tick(nowMs: number, isDeaf: boolean): 'send' | 'lost' | undefined {
    if (this.#received || isDeaf) this.#receivedMs = nowMs
    // It may have been right after the last look.
    if (this.#sent) this.#sentMs = this.#lookedMs
    this.#lookedMs = nowMs
    this.#received = this.#sent = false
    if (this.#intervalMs === 0) return undefined
    // Two are missed; a second more, because time passes between two looks.
    if (nowMs - this.#receivedMs > 2 * this.#intervalMs + 1000) return 'lost'
    // Some clients take one that is late for a missed one: with an interval of a second there is one after each look.
    return nowMs - this.#sentMs >= this.#intervalMs / 3 ? 'send' : undefined
  }
}
