import type { RoutedMessage } from '../router.ts'
import { CountedSet } from './counted-set.ts'
import type { Found, MatchedBinding, Matcher } from './matcher.ts'

/** The key of the message is that of the binding. */
export class DirectMatcher implements Matcher {
  readonly readsHeaders = false
  readonly #byKey = new Map<string, CountedSet>()

  add({ key, to }: MatchedBinding): void {
    let set = this.#byKey.get(key)
    if (set === undefined) this.#byKey.set(key, (set = new CountedSet()))
    set.add(to)
  }

  remove({ key, to }: MatchedBinding): void {
    const set = this.#byKey.get(key)
    set?.remove(to)
    if (set?.isEmpty === true) this.#byKey.delete(key)
  }

  match(key: string, _message: RoutedMessage, found: Found): void {
    for (const to of this.#byKey.get(key) ?? []) found.add(to)
  }
}
