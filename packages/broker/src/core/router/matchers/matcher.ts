import { unreachable } from '../../../base/assert.ts'
import type { ExchangeSpec, HeadersMatch, RoutedMessage } from '../router.ts'
import type { BoundTo } from '../bound-to.ts'
import { DirectMatcher } from './direct-matcher.ts'
import { FanoutMatcher } from './fanout-matcher.ts'
import { HashMatcher } from './hash-matcher.ts'
import { HeadersMatcher } from './headers-matcher.ts'
import { TopicTrie } from './topic-trie.ts'

/** What a matcher has to know of a binding. */
export interface MatchedBinding {
  readonly key: string
  readonly match?: HeadersMatch
  readonly to: BoundTo
}

/** The bindings of one exchange, so that those that a message matches are found fast. */
export interface Matcher {
  /** Whether it looks at more than the key. */
  readonly readsHeaders: boolean
  add(binding: MatchedBinding): void
  remove(binding: MatchedBinding): void
  /** Tells `found` of each binding that a message with this key matches. @throws what `Found.step` throws */
  match(key: string, message: RoutedMessage, found: Found): void
}

/** Where a matcher puts what it finds. */
export interface Found {
  add(to: BoundTo): void
  /** Counts work. @throws MillraceError `limit_reached` when it was too much */
  step(): void
}

export function newMatcher({ type, hashOn }: ExchangeSpec): Matcher {
  switch (type) {
    case 'direct':
      return new DirectMatcher()
    case 'fanout':
      return new FanoutMatcher()
    case 'topic':
      return new TopicTrie()
    case 'headers':
      return new HeadersMatcher()
    case 'consistent-hash':
      return new HashMatcher(hashOn)
    default:
      return unreachable(type)
  }
}
