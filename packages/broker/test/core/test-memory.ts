import type { MemoryGauge } from '../../src/ports/memory.ts'

/** Memory as a test says. */
export class TestMemory implements MemoryGauge {
  isShort = false
  readonly #listeners = new Set<() => void>()

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  become(isShort: boolean): void {
    this.isShort = isShort
    for (const listener of this.#listeners) listener()
  }
}
