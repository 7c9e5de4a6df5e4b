import { ListenerSet } from '../base/listener-set.ts'
import type { MemoryGauge } from '../ports/memory.ts'
import type { LogStore } from '../storage/log-store.ts'

/** What there is too little of to go on taking messages. Consuming goes on, and is what helps. */
export interface Shortages {
  /** Publishes are refused with `disk_full`. */
  readonly disk: boolean
  /** Publishes are taken; doors hold back whoever publishes. */
  readonly memory: boolean
  /** Calls back when one of them changed, in the turn in which the broker notices. @returns a function that stops it */
  listen(listener: () => void): () => void
}

export class CoreShortages implements Shortages {
  readonly #store: LogStore
  readonly #memory: MemoryGauge | undefined
  readonly #listeners = new ListenerSet<[]>()
  #told = { disk: false, memory: false }

  constructor(store: LogStore, memory: MemoryGauge | undefined) {
    this.#store = store
    this.#memory = memory
    store.onShortage(() => this.#tell())
    store.onRelief(() => this.#tell())
    memory?.onChange(() => this.#tell())
  }

  get disk(): boolean {
    return !this.#store.acceptsPublishes
  }

  get memory(): boolean {
    return this.#memory?.isShort === true
  }

  listen(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Calls back when `Broker.congested` or one of the shortages may be over. */
  onRelief(listener: () => void): () => void {
    const stopStore = this.#store.onRelief(listener)
    const stopMemory = this.#memory?.onChange(() => {
      if (!this.memory) listener()
    })
    return () => {
      stopStore()
      stopMemory?.()
    }
  }

  #tell(): void {
    const { disk, memory } = this
    if (disk === this.#told.disk && memory === this.#told.memory) return
    this.#told = { disk, memory }
    this.#listeners.call()
  }
}
