/** Destinations that failed, and are left alone for a while so that they hold up no others. */
export class DestinationPauses {
  readonly #delayMs: { readonly min: number; readonly max: number }
  readonly #pauses = new Map<string, { readonly failures: number; readonly untilMs: number }>()

  constructor(delayMs: { readonly min: number; readonly max: number }) {
    this.#delayMs = delayMs
  }

  /** Pauses it: longer each time, until it succeeds. */
  failed(destination: string): void {
    const failures = this.#pauses.get(destination)?.failures ?? 0
    this.#pauses.set(destination, { failures: failures + 1, untilMs: performance.now() + retryDelayMs(this.#delayMs, failures) })
  }

  succeeded(destination: string): void {
    this.#pauses.delete(destination)
  }

  /** Those that are not to be tried now. */
  get paused(): readonly string[] {
    const nowMs = performance.now()
    return [...this.#pauses].filter(([, { untilMs }]) => untilMs > nowMs).map(([destination]) => destination)
  }

  /** Until the first of them may be tried again; Infinity when none is paused. */
  get nextMs(): number {
    const nowMs = performance.now()
    let nextMs = Infinity
    for (const { untilMs } of this.#pauses.values()) if (untilMs > nowMs) nextMs = Math.min(nextMs, untilMs - nowMs)
    return nextMs
  }
}

/** Doubles from `min` to `max`; up to a quarter less, so that relays do not come back in step. @param failures before this one */
export function retryDelayMs({ min, max }: { readonly min: number; readonly max: number }, failures: number): number {
  return Math.min(max, min * 2 ** Math.min(failures, 30)) * (1 - Math.random() / 4)
}
