/** Definitions as RabbitMQ exports and imports them. Names of fields are its own. */
import type { ArgumentsJson } from '../definitions/arguments.ts'
import type { ApplyTo } from '../policies/policy.ts'

export interface Definitions {
  readonly users?: readonly UserEntry[]
  readonly vhosts?: readonly VhostEntry[]
  readonly permissions?: readonly PermissionEntry[]
  readonly topic_permissions?: readonly TopicPermissionEntry[]
  readonly parameters?: readonly ParameterEntry[]
  readonly global_parameters?: readonly { readonly name: string; readonly value: unknown }[]
  readonly policies?: readonly PolicyEntry[]
  readonly queues?: readonly QueueEntry[]
  readonly exchanges?: readonly ExchangeEntry[]
  readonly bindings?: readonly BindingEntry[]
}

export interface UserEntry {
  readonly name: string
  readonly password?: string
  readonly password_hash?: string
  readonly hashing_algorithm?: string
  /** A list, or a text with commas in older ones. */
  readonly tags?: string | readonly string[]
  readonly limits?: Readonly<Record<string, number>> | readonly unknown[]
  /** What RabbitMQ does not know of a user of this broker, and leaves alone. */
  readonly millrace?: { readonly rules?: readonly string[]; readonly roles?: readonly string[]; readonly passwordKeys?: unknown }
}

export interface VhostEntry {
  readonly name: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly default_queue_type?: string
  readonly metadata?: {
    readonly description?: string
    readonly tags?: readonly string[]
    readonly default_queue_type?: string
  }
  readonly limits?: Readonly<Record<string, number>> | readonly unknown[]
}

export interface PermissionEntry {
  readonly user: string
  readonly vhost: string
  readonly configure: string
  readonly write: string
  readonly read: string
}

export interface TopicPermissionEntry {
  readonly user: string
  readonly vhost: string
  readonly exchange: string
  readonly write: string
  readonly read: string
}

/** What belongs to a virtual host names it, except in an export of that one alone. */
interface InVhost {
  readonly vhost?: string
}

export interface ParameterEntry extends InVhost {
  readonly component: string
  readonly name: string
  readonly value: unknown
}

export interface PolicyEntry extends InVhost {
  readonly name: string
  readonly pattern: string
  readonly 'apply-to'?: ApplyTo
  readonly priority?: number
  readonly definition: ArgumentsJson
}

export interface QueueEntry extends InVhost {
  readonly name: string
  readonly type?: string
  readonly durable?: boolean
  readonly auto_delete?: boolean
  readonly arguments?: ArgumentsJson
}

export interface ExchangeEntry extends InVhost {
  readonly name: string
  readonly type: string
  readonly durable?: boolean
  readonly auto_delete?: boolean
  readonly internal?: boolean
  readonly arguments?: ArgumentsJson
}

export interface BindingEntry extends InVhost {
  readonly source: string
  readonly destination: string
  readonly destination_type: 'queue' | 'exchange'
  readonly routing_key?: string
  readonly arguments?: ArgumentsJson
}

/** Parameters that RabbitMQ keeps what is more than a parameter here in. */
export const VHOST_LIMITS = 'vhost-limits'
export const OPERATOR_POLICY = 'operator_policy'
