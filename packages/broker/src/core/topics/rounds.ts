import type { Scheduler, Timer } from '../../ports/platform.ts'

/** Runs a slow background job again and again, with a pause in between. */
export class Rounds {
  readonly #scheduler: Scheduler
  readonly #pauseMs: number
  readonly #round: () => Promise<void>
  readonly #onError: (error: unknown) => void
  #timer: Timer | undefined
  #stopped = false

  /** @param onError told when a round failed; the next one follows all the same */
  constructor(scheduler: Scheduler, pauseMs: number, round: () => Promise<void>, onError: (error: unknown) => void) {
    this.#scheduler = scheduler
    this.#pauseMs = pauseMs
    this.#round = round
    this.#onError = onError
    this.#pause()
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Lets other work go first. */
  yield(): Promise<void> {
    return new Promise((resolve) => this.#scheduler.endOfTurn(resolve))
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #pause(): void {
    if (this.#stopped) return
    this.#timer = this.#scheduler.after(this.#pauseMs, () => void this.#run())
  }

  async #run(): Promise<void> {
    try {
      await this.#round()
    } catch (error) {
      this.#onError(error)
    }
    this.#pause()
  }
}
