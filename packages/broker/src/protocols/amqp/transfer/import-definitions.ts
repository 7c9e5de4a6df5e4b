import { MillraceError } from '../../../base/errors.ts'
import { DEFAULT_VHOST } from '../../../base/scoped-names.ts'
import type { Ticket } from '../../commit-waiters.ts'
import type { TopicPermission, VhostPermission } from '../../permissions.ts'
import type { UserDefinition } from '../../security.ts'
import type { AmqpAdministration } from '../administration.ts'
import { AmqpError } from '../amqp-error.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import type { VhostLimits, VhostSettings } from '../vhosts/vhost-settings.ts'
import { checkDefinitions } from './definition-schema.ts'
import {
  type BindingEntry,
  type Definitions,
  OPERATOR_POLICY,
  type ParameterEntry,
  type PolicyEntry,
  type QueueEntry,
  VHOST_LIMITS,
  type VhostEntry,
} from './definition-shapes.ts'
import { userDefinition } from './imported-user.ts'

/**
 * Makes what definitions of RabbitMQ say, where it is not there yet. What is there and the same stays; what differs and cannot be changed is an error,
 * which names the entry. As in RabbitMQ nothing is taken back then, and importing again goes on; but parameters, limits and policies, which work
 * together, are all made or none of them.
 * @param json as it was parsed
 * @param vhost where everything goes, for definitions of one virtual host
 * @returns the ticket with which all of it is durable
 * @throws MillraceError `bad_request`, and what making it throws
 */
export function importDefinitions(administration: AmqpAdministration, json: unknown, vhost?: string): Ticket {
  const definitions = checkDefinitions(json)
  const placed = new Placed(administration, vhost)
  const tickets: Ticket[] = [0]
  if (vhost === undefined) {
    tickets.push(each('vhosts', definitions.vhosts, (entry) => administration.vhosts.put(entry.name, vhostSettings(entry))))
    importUsers(administration, definitions)
  }
  const { parameters = [], policies = [] } = definitions
  const globals = vhost === undefined ? (definitions.global_parameters ?? []) : []
  if (globals.length + parameters.length + policies.length > 0) {
    tickets.push(
      administration.policyApplication.changing(() => {
        each('global_parameters', globals, (entry) => administration.parameters.putGlobal(entry))
        each('parameters', parameters, (entry) => placed.parameter(entry))
        each('policies', policies, (entry) => placed.policy('policy', entry))
      }),
    )
  }
  const { declarations } = administration
  tickets.push(
    each('queues', definitions.queues, (entry) =>
      declarations.queue(placed.vhostOf(entry), entry.name, {
        durable: entry.durable ?? true,
        autoDelete: entry.auto_delete ?? false,
        arguments: queueArguments(entry),
      }),
    ),
    each('exchanges', definitions.exchanges, (entry) =>
      declarations.exchange(placed.vhostOf(entry), entry.name, {
        type: entry.type,
        durable: entry.durable ?? true,
        autoDelete: entry.auto_delete ?? false,
        internal: entry.internal ?? false,
        arguments: entry.arguments ?? {},
      }),
    ),
    each('bindings', definitions.bindings, (entry) => bind(administration, placed.vhostOf(entry), entry)),
  )
  return Math.max(...tickets)
}

/** Bindings of the default exchange are always there. */
function bind({ declarations }: AmqpAdministration, vhost: string, entry: BindingEntry): Ticket {
  const { source, destination, destination_type: destinationType, routing_key: routingKey = '' } = entry
  if (source === '') return 0
  return declarations.bind(vhost, { source, destination, destinationType, routingKey, arguments: entry.arguments ?? {} })
}

/** Where entries go. */
class Placed {
  readonly #administration: AmqpAdministration
  readonly #vhost: string | undefined

  constructor(administration: AmqpAdministration, vhost: string | undefined) {
    this.#administration = administration
    this.#vhost = vhost
  }

  vhostOf({ vhost }: { readonly vhost?: string }): string {
    return this.#administration.vhosts.get(this.#vhost ?? vhost ?? DEFAULT_VHOST).name
  }

  policy(kind: 'policy' | 'operator-policy', entry: PolicyEntry): Ticket {
    const { name, pattern, 'apply-to': applyTo = 'all', priority = 0, definition } = entry
    return this.#administration.policies.put(kind, { vhost: this.vhostOf(entry), name, pattern, applyTo, priority, definition })
  }

  parameter(entry: ParameterEntry): Ticket {
    const { component, name, value } = entry
    const vhost = this.vhostOf(entry)
    if (component === VHOST_LIMITS) return this.#administration.vhosts.setLimits(vhost, limitsOf(value))
    if (component === OPERATOR_POLICY)
      return this.policy('operator-policy', { vhost, name, ...(value as Omit<PolicyEntry, 'name'>) })
    return this.#administration.parameters.put({ vhost, component, name, value })
  }
}

/** All users at once: from the first on somebody must be able to administer the broker. */
function importUsers({ security }: AmqpAdministration, definitions: Definitions): void {
  const { users = [], permissions = [], topic_permissions: topicPermissions = [] } = definitions
  const byName = new Map<string, UserDefinition>()
  const known = new Set(security.users.list().map(({ name }) => name))
  each('users', users, (entry) => {
    byName.set(entry.name, userDefinition(entry))
    return 0
  })
  const add = (user: string, change: (definition: UserDefinition) => UserDefinition): Ticket => {
    if (!byName.has(user) && !known.has(user)) throw new MillraceError('not_found', `there is no user ${JSON.stringify(user)}`)
    byName.set(user, change(byName.get(user) ?? { name: user }))
    return 0
  }
  each('permissions', permissions, ({ user, vhost, configure, write, read }) => {
    const permission: VhostPermission = { vhost, configure, write, read }
    return add(user, (definition) => ({ ...definition, permissions: [...(definition.permissions ?? []), permission] }))
  })
  each('topic_permissions', topicPermissions, ({ user, vhost, exchange, write, read }) => {
    const permission: TopicPermission = { vhost, exchange, write, read }
    return add(user, (definition) => ({ ...definition, topicPermissions: [...(definition.topicPermissions ?? []), permission] }))
  })
  security.users.define([...byName.values()])
}

function vhostSettings({ description, tags, default_queue_type, metadata = {}, limits }: VhostEntry): VhostSettings {
  const type = default_queue_type ?? metadata.default_queue_type
  const said = {
    description: description ?? metadata.description,
    tags: tags ?? metadata.tags,
    // RabbitMQ writes the word `undefined` where nothing was said.
    defaultQueueType: type === 'undefined' ? undefined : type?.replace(/^rabbit_(\w+)_queue$/, '$1'),
    limits: limits === undefined || Array.isArray(limits) ? undefined : limitsOf(limits),
  }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
}

/** A negative limit is none. */
export function limitsOf(value: unknown): VhostLimits {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, number | undefined>>
  const [connections, queues] = [given['max-connections'], given['max-queues']]
  return {
    ...(connections === undefined || connections < 0 ? {} : { maxConnections: connections }),
    ...(queues === undefined || queues < 0 ? {} : { maxQueues: queues }),
  }
}

function queueArguments({ type, arguments: given = {} }: QueueEntry): ArgumentsJson {
  if (type === undefined || type === 'classic' || Object.hasOwn(given, 'x-queue-type')) return given
  return { ...given, 'x-queue-type': type }
}

/** @returns the last ticket @throws MillraceError that names the entry */
function each<Entry>(section: string, entries: readonly Entry[] | undefined, make: (entry: Entry) => Ticket): Ticket {
  let last: Ticket = 0
  for (const [n, entry] of (entries ?? []).entries()) {
    try {
      last = Math.max(last, make(entry))
    } catch (error) {
      if (!(error instanceof MillraceError) && !(error instanceof AmqpError)) throw error
      const { name } = entry as { readonly name?: unknown }
      const what = `${section}[${n}]${typeof name === 'string' ? ` (${JSON.stringify(name)})` : ''}`
      const code = error instanceof MillraceError ? error.code : 'bad_request'
      throw new MillraceError(code, `${what}: ${error.message}`, { cause: error })
    }
  }
  return last
}
