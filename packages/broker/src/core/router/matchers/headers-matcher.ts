import { MATCH_ALL } from '../binding-spec.ts'
import type { HeadersMatch, HeaderValue, RoutedMessage } from '../router.ts'
import type { Found, MatchedBinding, Matcher } from './matcher.ts'

/** A binding that was prepared: what of its headers counts. In mode `all` it is found by the first of them. */
interface Pattern {
  readonly binding: MatchedBinding
  readonly isAny: boolean
  readonly entries: readonly (readonly [name: string, value: HeaderValue | null])[]
}

/** Patterns that may match when a header has a value. */
class HeaderIndex {
  /** By the value, as `valueKeys` writes it. */
  readonly byValue: Map<string, Set<Pattern>> = new Map()
  /** Whatever the value. */
  readonly present: Set<Pattern> = new Set()

  get isEmpty(): boolean {
    return this.byValue.size === 0 && this.present.size === 0
  }
}

/**
 * Headers of the message against those of bindings. A binding of mode `all` is looked at when the rarest of its headers fits, one of mode `any` when
 * one of them does: work goes by the names that bindings have and by what fits, not by the number of bindings.
 */
export class HeadersMatcher implements Matcher {
  readonly readsHeaders = true
  readonly #patterns = new Map<MatchedBinding, Pattern>()
  /** Those that match every message. */
  readonly #always = new Set<Pattern>()
  readonly #byName = new Map<string, HeaderIndex>()

  add(binding: MatchedBinding): void {
    const pattern = this.#rarestFirst(patternOf(binding))
    this.#patterns.set(binding, pattern)
    if (pattern.entries.length === 0) {
      if (!pattern.isAny) this.#always.add(pattern)
      return
    }
    for (const [name, value] of indexed(pattern)) {
      let index = this.#byName.get(name)
      if (index === undefined) this.#byName.set(name, (index = new HeaderIndex()))
      setOf(index, value).add(pattern)
    }
  }

  remove(binding: MatchedBinding): void {
    const pattern = this.#patterns.get(binding)
    if (pattern === undefined) return
    this.#patterns.delete(binding)
    this.#always.delete(pattern)
    for (const [name, value] of indexed(pattern)) {
      const index = this.#byName.get(name)
      if (index === undefined) continue
      const set = setOf(index, value)
      set.delete(pattern)
      if (set.size === 0 && value !== null) index.byValue.delete(valueKey(value))
      if (index.isEmpty) this.#byName.delete(name)
    }
  }

  match(_key: string, message: RoutedMessage, found: Found): void {
    for (const { binding } of this.#always) found.add(binding.to)
    const isText = message.isText === true
    for (const [name, index] of this.#byName) {
      found.step()
      const value = message.header(name)
      if (value === undefined) continue
      this.#look(index.present, message, found)
      if (value === null) continue
      for (const key of valueKeys(value, isText)) this.#look(index.byValue.get(key), message, found)
    }
  }

  /** The header by which the fewest are found so far goes first. */
  #rarestFirst(pattern: Pattern): Pattern {
    const { entries, isAny } = pattern
    if (isAny || entries.length < 2) return pattern
    const sizes = entries.map(([name, value]) => {
      const index = this.#byName.get(name)
      return (value === null ? index?.present : index?.byValue.get(valueKey(value)))?.size ?? 0
    })
    const rarest = sizes.indexOf(Math.min(...sizes))
    return { ...pattern, entries: [entries[rarest]!, ...entries.filter((_, n) => n !== rarest)] }
  }

  #look(patterns: ReadonlySet<Pattern> | undefined, message: RoutedMessage, found: Found): void {
    for (const { isAny, entries, binding } of patterns ?? []) {
      found.step()
      if (isAny || entries.every(([name, value]) => fits(value, message.header(name), message.isText === true)))
        found.add(binding.to)
    }
  }
}

function patternOf(binding: MatchedBinding): Pattern {
  const { mode, headers }: HeadersMatch = binding.match ?? MATCH_ALL
  const looksAtX = mode.endsWith('-with-x')
  const entries = Object.entries(headers).filter(([name]) => looksAtX || !name.startsWith('x-'))
  return { binding, isAny: mode.startsWith('any'), entries }
}

/** The headers by which a pattern is found. */
function indexed({ isAny, entries }: Pattern): Pattern['entries'] {
  return isAny ? entries : entries.slice(0, 1)
}

function setOf(index: HeaderIndex, value: HeaderValue | null): Set<Pattern> {
  if (value === null) return index.present
  const key = valueKey(value)
  let set = index.byValue.get(key)
  if (set === undefined) index.byValue.set(key, (set = new Set()))
  return set
}

function fits(wanted: HeaderValue | null, value: HeaderValue | null | undefined, isText: boolean): boolean {
  if (value === undefined) return false
  return wanted === null || (value !== null && valueKeys(value, isText).includes(valueKey(wanted)))
}

/** The same for values that are equal: 1 and 1.0 are, 1 and "1" are not. */
function valueKey(value: HeaderValue): string {
  return `${(typeof value)[0]!}${value === 0 ? 0 : value}`
}

/** What a value of a message equals. Where headers have no types, a text also is the number or boolean that it says. */
function valueKeys(value: HeaderValue, isText: boolean): readonly string[] {
  if (!isText || typeof value !== 'string') return [valueKey(value)]
  if (value === 'true' || value === 'false') return [`s${value}`, `b${value}`]
  const number = value.trim() === '' ? Number.NaN : Number(value)
  return Number.isFinite(number) ? [`s${value}`, valueKey(number)] : [`s${value}`]
}
