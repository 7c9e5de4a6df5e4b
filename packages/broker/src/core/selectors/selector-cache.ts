import { CACHED_SELECTOR_BYTES_MAX, CACHED_SELECTORS_MAX, SELECTOR_BYTES, SELECTOR_BYTES_PER_CHARACTER } from './limits.ts'
import { compileSelector, type Selector, type SelectorOptions } from './selector.ts'

export interface SelectorCacheLimits {
  readonly entriesMax?: number
  /** Estimated from the lengths of the texts. */
  readonly bytesMax?: number
}

/** Compiled selectors by dialect and text; those that were not asked for longest go first. Errors are not kept. */
export class SelectorCache {
  readonly #entriesMax: number
  readonly #bytesMax: number
  /** In the order of use, the latest last. */
  readonly #selectors = new Map<string, Selector>()
  #bytes = 0

  constructor(limits: SelectorCacheLimits = {}) {
    this.#entriesMax = limits.entriesMax ?? CACHED_SELECTORS_MAX
    this.#bytesMax = limits.bytesMax ?? CACHED_SELECTOR_BYTES_MAX
  }

  get entries(): number {
    return this.#selectors.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @throws MillraceError `bad_selector` */
  compile(text: string, options: SelectorOptions = {}): Selector {
    const key = `${options.dialect ?? 'jms'} ${text}`
    const cached = this.#selectors.get(key)
    if (cached !== undefined) {
      this.#selectors.delete(key)
      this.#selectors.set(key, cached)
      return cached
    }
    const selector = compileSelector(text, options)
    this.#selectors.set(key, selector)
    this.#bytes += estimatedBytes(selector)
    this.#evict()
    return selector
  }

  /** May remove the newest too, if it alone is too large. */
  #evict(): void {
    for (const [key, selector] of this.#selectors) {
      if (this.#selectors.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) return
      this.#selectors.delete(key)
      this.#bytes -= estimatedBytes(selector)
    }
  }
}

function estimatedBytes(selector: Selector): number {
  return SELECTOR_BYTES + SELECTOR_BYTES_PER_CHARACTER * selector.text.length
}
