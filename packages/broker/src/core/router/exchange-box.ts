/** Dead letters that go to an exchange. */
import { encodeText, messageProperties, MORE_KEYS_HEADER } from '@millrace/wire'
import { splitScopedName } from '../../base/scoped-names.ts'
import { isCircle, nameIn } from '../delivery/death-history.ts'
import { headerText } from '../delivery/dead-letter-headers.ts'
import { type DeadMessage, type LetterBox, type Mailing, NOWHERE, type Way } from '../delivery/letter-box.ts'
import type { CoreRoute } from './core-route.ts'
import { moreKeysIn } from './more-keys.ts'
import { RoutedHeaders } from './routed-records.ts'

const NO_KEYS: readonly string[] = []
const decoder = new TextDecoder()

export class ExchangeBox implements LetterBox {
  readonly keepsHistory = true
  readonly #name: string
  readonly #key: string | undefined
  readonly #route: (message: RoutedHeaders) => CoreRoute | undefined
  readonly #keyOfQueue: (name: string) => string
  readonly #ways = new WeakMap<CoreRoute, Way>()

  /**
   * @param name '' for the default exchange
   * @param key of all letters; undefined: each has its own
   * @param route undefined when there is no such exchange
   * @param keyOfQueue the key of what was published to a queue by its name: keys know no virtual hosts
   */
  constructor(
    name: string,
    key: string | undefined,
    route: (message: RoutedHeaders) => CoreRoute | undefined,
    keyOfQueue: (name: string) => string = (queue) => splitScopedName(queue).name,
  ) {
    this.#name = name
    this.#key = key
    this.#route = route
    this.#keyOfQueue = keyOfQueue
  }

  mail(message: DeadMessage): Mailing {
    const hasOwnKeys = this.#key === undefined
    const key = this.#key ?? this.#keyOf(message)
    const moreKeys = hasOwnKeys ? moreKeysIn(message.headers) : NO_KEYS
    const isNamed = this.#name !== ''
    const headers = message.headers.filter(
      ({ key: name }) => name !== messageProperties.exchange && (hasOwnKeys || name !== MORE_KEYS_HEADER),
    )
    if (isNamed) headers.push({ key: messageProperties.exchange, value: encodeText(this.#name) })
    const route = this.#route(new RoutedHeaders(key, moreKeys, headers))
    const way = route === undefined ? NOWHERE : this.#wayOf(route, message)
    // By other keys the default exchange gives it to queues that do not have the name of its own.
    const keepsKey = key !== '' && (isNamed || moreKeys.length > 0)
    return { way, key: keepsKey ? encodeText(key) : null, headers }
  }

  /** What the default exchange gave to a queue had the queue's name as its key. */
  #keyOf({ key, source, headers }: DeadMessage): string {
    if (key !== null) return decoder.decode(key)
    return headerText(headers, messageProperties.exchange) === undefined ? this.#keyOfQueue(nameIn(source)) : ''
  }

  #wayOf(route: CoreRoute, { key, headers, history }: DeadMessage): Way {
    const { waits } = route
    const targets = route.targets.filter(({ deleted, address }) => !deleted && !isCircle(history, address))
    if (targets.length === 0 && waits === undefined) return NOWHERE
    const isSimple =
      targets.length === route.targets.length && targets.every(({ kind, levels }) => kind === 'queue' && levels === undefined)
    const known = isSimple ? this.#ways.get(route) : undefined
    if (known !== undefined) return known
    const way: Way = { places: targets.map((target) => ({ target, partition: target.place(key, headers) })), waits }
    if (isSimple) this.#ways.set(route, way)
    return way
  }
}
