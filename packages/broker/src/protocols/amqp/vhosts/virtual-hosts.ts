import { MillraceError } from '../../../base/errors.ts'
import { DEFAULT_VHOST, isVhostName, splitScopedName } from '../../../base/scoped-names.ts'
import type { Documents } from '../../../core/documents/documents.ts'
import type { Router } from '../../../core/router/router.ts'
import type { Ticket } from '../../commit-waiters.ts'
import type { UserDirectory } from '../../security.ts'
import type { AmqpDirectory } from '../directory.ts'
import { OPERATOR_POLICIES, POLICIES, VHOST_PARAMETERS, VHOSTS } from '../policies/collections.ts'
import { keyVhost } from '../policies/document-keys.ts'
import { makePrebuiltExchanges } from '../prebuilt-exchanges.ts'
import { checkVhostSettings, type VhostLimits, type VhostSettings } from './vhost-settings.ts'

const VHOSTS_MAX = 10_000

/** What the façade must have for virtual hosts. */
export interface VhostBroker {
  readonly documents: Documents
  readonly router: Router
  queues(): readonly { readonly name: string }[]
  topics(): readonly { readonly name: string }[]
  deleteQueue(name: string): Ticket
  deleteTopic(name: string): Ticket
  ticket(): Ticket
}

export interface VirtualHost extends VhostSettings {
  readonly name: string
}

/** The virtual hosts: documents of the broker. The default one is always there. */
export class VirtualHosts {
  readonly #broker: VhostBroker
  readonly #users: Pick<UserDirectory, 'forgetVhost'>
  readonly #directory: AmqpDirectory

  constructor(broker: VhostBroker, users: Pick<UserDirectory, 'forgetVhost'>, directory: AmqpDirectory) {
    this.#broker = broker
    this.#users = users
    this.#directory = directory
  }

  /** Makes what every virtual host has, where it is missing. */
  prepare(): void {
    for (const { name } of this.list()) makePrebuiltExchanges(this.#broker, name)
  }

  list(): readonly VirtualHost[] {
    const stored = this.#broker.documents.list(VHOSTS).map(([name, settings]) => ({ name, ...(settings as VhostSettings) }))
    return stored.some(({ name }) => name === DEFAULT_VHOST) ? stored : [{ name: DEFAULT_VHOST }, ...stored]
  }

  has(name: string): boolean {
    return name === DEFAULT_VHOST || this.#broker.documents.get(VHOSTS, name) !== undefined
  }

  /** @throws MillraceError `not_found` */
  get(name: string): VirtualHost {
    const settings = this.#broker.documents.get(VHOSTS, name) as VhostSettings | undefined
    if (settings !== undefined) return { name, ...settings }
    if (name === DEFAULT_VHOST) return { name }
    throw new MillraceError('not_found', `There is no virtual host ${JSON.stringify(name)}.`)
  }

  /** Creates it, or changes what is said of it. @throws MillraceError `bad_request`, `limit_reached` */
  put(name: string, settings: VhostSettings): Ticket {
    if (!isVhostName(name))
      throw new MillraceError(
        'bad_request',
        `${JSON.stringify(name)} cannot be the name of a virtual host: use 1 to 255 bytes without control characters and ::, and no : at the end.`,
      )
    checkVhostSettings(settings)
    const isNew = !this.has(name)
    if (isNew && this.#broker.documents.list(VHOSTS).length >= VHOSTS_MAX)
      throw new MillraceError('limit_reached', `There are ${VHOSTS_MAX} virtual hosts, which is the limit.`)
    const before = isNew ? {} : this.#settings(name)
    const ticket = this.#broker.documents.put(VHOSTS, name, { ...before, ...settings })
    if (!isNew) return ticket
    makePrebuiltExchanges(this.#broker, name)
    return this.#broker.ticket()
  }

  /** Replaces its limits; `{}` takes them away. @throws MillraceError `not_found`, `bad_request` */
  setLimits(name: string, limits: VhostLimits): Ticket {
    return this.put(this.get(name).name, { limits })
  }

  /** Deletes it with its queues, exchanges, policies, parameters and permissions, and closes its connections. @throws MillraceError `not_found`, `in_use` */
  delete(name: string): Ticket {
    this.get(name)
    if (name === DEFAULT_VHOST)
      throw new MillraceError('in_use', 'The default virtual host is where everything else is, and cannot be deleted.')
    const { documents, router } = this.#broker
    documents.remove(VHOSTS, name)
    const isInside = (each: { readonly name: string }): boolean => splitScopedName(each.name).vhost === name
    for (const queue of this.#broker.queues().filter(isInside)) this.#broker.deleteQueue(queue.name)
    for (const topic of this.#broker.topics().filter(isInside)) this.#broker.deleteTopic(topic.name)
    for (const exchange of router.exchanges().filter(isInside)) router.deleteExchange(exchange.name)
    for (const collection of [POLICIES, OPERATOR_POLICIES, VHOST_PARAMETERS])
      for (const [key] of documents.list(collection)) if (keyVhost(key) === name) documents.remove(collection, key)
    this.#users.forgetVhost(name)
    this.#directory.close(({ vhost }) => vhost === name, `vhost '${name}' is gone`)
    return this.#broker.ticket()
  }

  /** @throws MillraceError `limit_reached` when one connection more is too much */
  checkConnection(name: string): void {
    const max = this.#limits(name).maxConnections
    if (max === undefined || this.#directory.count(({ vhost }) => vhost === name) < max) return
    throw new MillraceError('limit_reached', `access to vhost '${name}' refused: connection limit (${max}) is reached`)
  }

  /** @throws MillraceError `limit_reached` when one queue more is too much */
  checkQueues(name: string): void {
    const max = this.#limits(name).maxQueues
    if (max === undefined) return
    const count = this.#broker.queues().filter((queue) => splitScopedName(queue.name).vhost === name).length
    if (count >= max)
      throw new MillraceError(
        'limit_reached',
        `cannot declare queue in vhost '${name}': queue limit in vhost (${max}) is reached`,
      )
  }

  #limits(name: string): VhostLimits {
    return this.#settings(name).limits ?? {}
  }

  #settings(name: string): VhostSettings {
    return this.#broker.documents.get(VHOSTS, name) ?? {}
  }
}
