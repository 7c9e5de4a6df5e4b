/** Waits that end early. */
export class Alarm {
  #rung = false
  #stopped = false
  #end: { readonly byRing: boolean; readonly resolve: () => void } | undefined

  get stopped(): boolean {
    return this.#stopped
  }

  /** Ends `untilRung`: the one that waits, or else the next. */
  ring(): void {
    if (this.#end?.byRing === true) this.#end.resolve()
    else this.#rung = true
  }

  /** Ends every wait from now on. */
  stop(): void {
    this.#stopped = true
    this.#end?.resolve()
  }

  /** Until `ring`, `stop`, or the time is over. One wait at a time. */
  async untilRung(ms: number): Promise<void> {
    if (!this.#rung) await this.#wait(ms, true)
    this.#rung = false
  }

  /** Until `stop`, or the time is over. */
  delay(ms: number): Promise<void> {
    return this.#wait(ms, false)
  }

  async #wait(ms: number, byRing: boolean): Promise<void> {
    if (this.#stopped) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
      this.#end = { byRing, resolve }
    })
    clearTimeout(timer)
    this.#end = undefined
  }
}
