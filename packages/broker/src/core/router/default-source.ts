/** The default exchange: a message goes to the queue, or else the topic, whose name is its key. */
import type { PublishTarget } from '../publish-target.ts'
import { CoreRoute } from './core-route.ts'
import type { RoutesHome } from './exchange-routes.ts'
import type { ExchangeSource, RoutedMessage } from './router.ts'

export class DefaultSource implements ExchangeSource {
  readonly name = ''
  readonly internal = false
  readonly byHeaders = false
  readonly #home: RoutesHome
  readonly #queue: (name: string) => PublishTarget | undefined
  readonly #routes = new WeakMap<PublishTarget, CoreRoute>()
  readonly #nowhere: CoreRoute

  constructor(home: RoutesHome, queue: (name: string) => PublishTarget | undefined) {
    this.#home = home
    this.#queue = queue
    this.#nowhere = new CoreRoute(home, undefined, [])
  }

  route({ key, moreKeys }: Pick<RoutedMessage, 'key' | 'moreKeys'>): CoreRoute {
    if (moreKeys === undefined || moreKeys.length === 0) return this.named(key)
    const first = this.#queue(key)
    const targets = new Set<PublishTarget>()
    if (first !== undefined) targets.add(first)
    for (const more of moreKeys) {
      const target = this.#queue(more)
      if (target !== undefined) targets.add(target)
    }
    if (targets.size === 0) return this.#nowhere
    return targets.size === 1 ? this.#routeTo([...targets][0]!) : new CoreRoute(this.#home, undefined, [...targets])
  }

  /** @param name of a queue or topic */
  named(name: string): CoreRoute {
    const target = this.#queue(name)
    return target === undefined ? this.#nowhere : this.#routeTo(target)
  }

  #routeTo(target: PublishTarget): CoreRoute {
    let route = this.#routes.get(target)
    if (route === undefined) this.#routes.set(target, (route = new CoreRoute(this.#home, undefined, [target])))
    return route
  }
}
