import { splitScopedName } from '../../../base/scoped-names.ts'
import { parseExchangeAddress, parseTopicAddress } from '@millrace/wire'
import type { Binding, ExchangeInfo } from '../../../core/broker.ts'
import type { UserDefinition } from '../../security.ts'
import type { AmqpAdministration } from '../administration.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import { exchangeTypeName } from '../definitions/exchange-arguments.ts'
import { declaredOf, type FoundQueue } from '../definitions/found-queue.ts'
import { declaredArguments } from '../definitions/labels.ts'
import type { Parameter } from '../policies/parameters.ts'
import type { Policy } from '../policies/policy.ts'
import type { VirtualHost } from '../vhosts/virtual-hosts.ts'
import {
  type BindingEntry,
  type Definitions,
  type ExchangeEntry,
  OPERATOR_POLICY,
  type ParameterEntry,
  type PolicyEntry,
  type QueueEntry,
  type UserEntry,
  VHOST_LIMITS,
  type VhostEntry,
} from './definition-shapes.ts'

const RESERVED = 'amq.'

/** All that is durable, as RabbitMQ would write it. */
export function exportDefinitions(administration: AmqpAdministration): Definitions {
  const { security, vhosts, parameters } = administration
  const users = security.users.definitions()
  return {
    users: users.map(userEntry),
    vhosts: vhosts.list().map(vhostEntry),
    permissions: users.flatMap(({ name, permissions = [] }) => permissions.map((each) => ({ user: name, ...each }))),
    topic_permissions: users.flatMap(({ name, topicPermissions = [] }) =>
      topicPermissions.map((each) => ({ user: name, ...each })),
    ),
    global_parameters: parameters.listGlobal(),
    ...contents(administration, undefined),
  }
}

/** What is in one virtual host; the entries do not name it. @throws MillraceError `not_found` */
export function exportVhost(
  administration: AmqpAdministration,
  vhost: string,
): Definitions & Pick<VhostEntry, 'metadata' | 'default_queue_type'> {
  const { description = '', tags = [], defaultQueueType } = administration.vhosts.get(vhost)
  const metadata = { description, tags, ...(defaultQueueType === undefined ? {} : { default_queue_type: defaultQueueType }) }
  const all = contents(administration, vhost)
  return {
    metadata,
    default_queue_type: defaultQueueType ?? 'classic',
    parameters: without(all.parameters),
    policies: without(all.policies),
    queues: without(all.queues),
    exchanges: without(all.exchanges),
    bindings: without(all.bindings),
  }
}

/** Without the name of their virtual host. */
function without<Entry extends { readonly vhost?: string }>(entries: readonly Entry[] = []): readonly Entry[] {
  return entries.map(
    (entry) => Object.fromEntries(Object.entries(entry).filter(([field]) => field !== 'vhost')) as unknown as Entry,
  )
}

type Contents = Pick<Definitions, 'parameters' | 'policies' | 'queues' | 'exchanges' | 'bindings'>

function contents(administration: AmqpAdministration, only: string | undefined): Contents {
  const { broker, vhosts, policies, parameters } = administration
  const isMeant = ({ vhost = '' }: { readonly vhost?: string }): boolean => only === undefined || vhost === only
  const found: readonly FoundQueue[] = [
    ...broker.queues().map((info) => ({ kind: 'queue', info }) as const),
    ...broker.topics().map((info) => ({ kind: 'topic', info }) as const),
  ]
  const limits = vhosts.list().flatMap(limitsEntry)
  const operatorPolicies = policies.list('operator-policy').map(operatorEntry)
  return {
    parameters: [...limits, ...operatorPolicies, ...parameters.list()].filter(isMeant),
    policies: policies
      .list('policy')
      .map((policy) => policyEntry(policy))
      .filter(isMeant),
    queues: found.flatMap(queueEntry).filter(isMeant),
    exchanges: broker.router.exchanges().flatMap(exchangeEntry).filter(isMeant),
    bindings: broker.router.bindings().flatMap(bindingEntry).filter(isMeant),
  }
}

function userEntry({
  name,
  tags = [],
  limits = {},
  passwordHash,
  passwordKeys,
  rules = [],
  roles = [],
}: UserDefinition): UserEntry {
  return {
    name,
    password_hash: passwordHash?.hash ?? '',
    hashing_algorithm: `rabbit_password_hashing_${passwordHash?.algorithm ?? 'sha256'}`,
    tags,
    limits: {
      ...(limits.maxConnections === undefined ? {} : { 'max-connections': limits.maxConnections }),
      ...(limits.maxChannels === undefined ? {} : { 'max-channels': limits.maxChannels }),
    },
    millrace: { rules, roles, ...(passwordKeys === undefined ? {} : { passwordKeys }) },
  }
}

function vhostEntry({ name, description = '', tags = [], defaultQueueType }: VirtualHost): VhostEntry {
  const type = defaultQueueType === undefined ? {} : { default_queue_type: defaultQueueType }
  return { name, description, tags, ...type, metadata: { description, tags, ...type } }
}

/** Limits as RabbitMQ keeps them: a parameter. */
export function limitsEntry({ name, limits = {} }: VirtualHost): readonly Parameter[] {
  const value = {
    ...(limits.maxConnections === undefined ? {} : { 'max-connections': limits.maxConnections }),
    ...(limits.maxQueues === undefined ? {} : { 'max-queues': limits.maxQueues }),
  }
  return Object.keys(value).length === 0 ? [] : [{ vhost: name, component: VHOST_LIMITS, name: 'limits', value }]
}

export function policyEntry({ vhost, name, pattern, applyTo, definition, priority }: Policy): Required<PolicyEntry> {
  return { vhost, name, pattern, 'apply-to': applyTo, definition, priority }
}

function operatorEntry(policy: Policy): ParameterEntry {
  const { vhost, name, ...value } = policyEntry(policy)
  return { vhost, component: OPERATOR_POLICY, name, value }
}

function queueEntry(found: FoundQueue): readonly QueueEntry[] {
  const { type, durable, autoDelete, exclusive, arguments: declared = {} } = declaredOf(found)
  if (!durable || exclusive) return []
  const typed: ArgumentsJson = type === 'classic' ? declared : { ...declared, 'x-queue-type': type }
  return [{ ...splitScopedName(found.info.name), durable, auto_delete: autoDelete, arguments: typed }]
}

function exchangeEntry(info: ExchangeInfo): readonly ExchangeEntry[] {
  const { vhost, name } = splitScopedName(info.name)
  if (!info.durable || name.startsWith(RESERVED)) return []
  const { durable, autoDelete, internal } = info
  return [
    { name, vhost, type: exchangeTypeName(info), durable, auto_delete: autoDelete, internal, arguments: declaredArguments(info) },
  ]
}

/** Undefined where the two sides are in different virtual hosts, which no client of AMQP can see. */
export function clientBinding(binding: Binding): Required<BindingEntry> | undefined {
  const { vhost, name: source } = splitScopedName(binding.source)
  const exchange = parseExchangeAddress(binding.destination)
  const core = (exchange ?? parseTopicAddress(binding.destination))?.name ?? binding.destination.slice('queue:'.length)
  const destination = splitScopedName(core)
  if (destination.vhost !== vhost) return undefined
  return {
    source,
    vhost,
    destination: destination.name,
    destination_type: exchange === undefined ? 'queue' : 'exchange',
    routing_key: binding.key,
    arguments: declaredArguments(binding),
  }
}

function bindingEntry(binding: Binding): readonly BindingEntry[] {
  const entry = clientBinding(binding)
  return entry === undefined ? [] : [entry]
}
