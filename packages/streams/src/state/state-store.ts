/** Which state a store is for. */
export interface StatePlace {
  readonly application: string
  /** Name of the operator. */
  readonly store: string
  readonly partition: number
}

/**
 * Where an operator keeps the state of one partition while the application runs. What makes it durable is its changelog, from which an empty
 * store is filled when the partition comes here. Values are plain data and frozen. Calls are synchronous: one per record and operator.
 */
export interface StateStore {
  /** Undefined when there is none. */
  get(key: string): unknown
  set(key: string, value: unknown): void
  delete(key: string): void
  entries(): Iterable<readonly [string, unknown]>
  readonly size: number
  /** The partition is elsewhere from now on: the store's contents are not needed any more. */
  close(): void
}

export type OpenStateStore = (place: StatePlace) => StateStore

/** The default: everything in memory. */
export class MemoryStateStore implements StateStore {
  readonly #values = new Map<string, unknown>()

  get size(): number {
    return this.#values.size
  }

  get(key: string): unknown {
    return this.#values.get(key)
  }

  set(key: string, value: unknown): void {
    this.#values.set(key, value)
  }

  delete(key: string): void {
    this.#values.delete(key)
  }

  entries(): Iterable<readonly [string, unknown]> {
    return this.#values.entries()
  }

  close(): void {
    this.#values.clear()
  }
}
