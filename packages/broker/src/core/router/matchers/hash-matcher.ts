import { weightOf } from '../binding-spec.ts'
import type { BoundTo } from '../bound-to.ts'
import type { ExchangeSpec, RoutedMessage } from '../router.ts'
import { mixed, textHash } from './text-hash.ts'
import type { Found, MatchedBinding, Matcher } from './matcher.ts'

/** Something that gets a share of the messages. */
interface Sharer {
  readonly to: BoundTo
  /** Of its address, which is the same after a restart. */
  readonly hash: number
  /** Sum over its bindings. */
  weight: number
}

/**
 * Each message to one of those that are bound, the same for the same key; shares by weight. Weighted rendezvous hashing: of all, the one whose draw
 * from key and address is best, so that who comes or goes moves nothing between the others.
 */
export class HashMatcher implements Matcher {
  readonly readsHeaders: boolean
  readonly #sharers = new Map<BoundTo, Sharer>()
  readonly #header: string | undefined

  /** @param hashOn undefined: the key */
  constructor(hashOn: ExchangeSpec['hashOn']) {
    this.#header = hashOn === undefined ? undefined : 'header' in hashOn ? hashOn.header : hashOn.property
    this.readsHeaders = hashOn !== undefined
  }

  add({ key, to }: MatchedBinding): void {
    const sharer = this.#sharers.get(to)
    if (sharer === undefined) this.#sharers.set(to, { to, hash: textHash(to.address), weight: weightOf(key) })
    else sharer.weight += weightOf(key)
  }

  remove({ key, to }: MatchedBinding): void {
    const sharer = this.#sharers.get(to)
    if (sharer === undefined) return
    sharer.weight -= weightOf(key)
    if (sharer.weight === 0) this.#sharers.delete(to)
  }

  match(key: string, message: RoutedMessage, found: Found): void {
    const hash = textHash(this.#header === undefined ? key : String(message.header(this.#header) ?? ''))
    let best: BoundTo | undefined
    let bestDraw = Infinity
    for (const sharer of this.#sharers.values()) {
      found.step()
      // Exponentially distributed with the weight as its rate: the smallest of them is each one's in proportion to its weight.
      const draw = -Math.log((mixed(hash ^ sharer.hash) + 0.5) / 2 ** 32) / sharer.weight
      if (draw >= bestDraw) continue
      bestDraw = draw
      best = sharer.to
    }
    if (best !== undefined) found.add(best)
  }
}
