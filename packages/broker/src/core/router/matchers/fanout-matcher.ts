import type { RoutedMessage } from '../router.ts'
import { CountedSet } from './counted-set.ts'
import type { Found, MatchedBinding, Matcher } from './matcher.ts'

/** Every message, whatever its key. */
export class FanoutMatcher implements Matcher {
  readonly readsHeaders = false
  readonly #all = new CountedSet()

  add({ to }: MatchedBinding): void {
    this.#all.add(to)
  }

  remove({ to }: MatchedBinding): void {
    this.#all.remove(to)
  }

  match(_key: string, _message: RoutedMessage, found: Found): void {
    for (const to of this.#all) found.add(to)
  }
}
