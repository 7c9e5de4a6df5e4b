/** What a client may do: asked of the broker's one authorization, told in Kafka's codes. */
import { topicAddress } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { type Action, isAllowed } from '../session.ts'
import {
  ALTER,
  ALTER_CONFIGS,
  CREATE,
  DELETE,
  DESCRIBE,
  DESCRIBE_CONFIGS,
  IDEMPOTENT_WRITE,
  READ,
  WRITE,
} from './acl-operations.ts'
import { errors, KafkaError } from './errors.ts'
import type { Client } from './served-api.ts'

type Resource = 'broker' | `${'topic' | 'queue' | 'group' | 'transaction'}:${string}`

/** Whoever may do anything with a topic may know that it is there, and where: without that, clients can do nothing at all. */
const SEES_TOPIC: readonly Action[] = ['describe', 'read', 'publish', 'define', 'create', 'delete']
const SEES_GROUP: readonly Action[] = ['describe', 'consume', 'define', 'delete']
const SEES_TRANSACTION: readonly Action[] = ['describe', 'publish']
/** Publishing creates topics by every door, where `autoCreate` is on. */
const CREATES_TOPIC: readonly Action[] = ['create', 'publish']
const READS_OFFSETS: readonly Action[] = ['describe', 'read']

/** @throws KafkaError *_AUTHORIZATION_FAILED */
export function permit({ context, principal }: Client, action: Action, resource: Resource): void {
  try {
    context.authorize(principal, action, resource)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'forbidden') throw error
    throw new KafkaError(codeOf(resource), error.message)
  }
}

export function may({ context, principal }: Client, action: Action, resource: Resource): boolean {
  return isAllowed(context, principal, action, resource)
}

export function maySeeTopic(client: Client, name: string): boolean {
  return SEES_TOPIC.some((action) => may(client, action, topicAddress(name)))
}

export function maySeeGroup(client: Client, name: string): boolean {
  return SEES_GROUP.some((action) => may(client, action, `group:${name}`))
}

/** @throws KafkaError TOPIC_AUTHORIZATION_FAILED */
export function permitSeeingTopic(client: Client, name: string): void {
  permitAny(client, SEES_TOPIC, topicAddress(name))
}

/** @throws KafkaError GROUP_AUTHORIZATION_FAILED */
export function permitSeeingGroup(client: Client, name: string): void {
  permitAny(client, SEES_GROUP, `group:${name}`)
}

/** @throws KafkaError TRANSACTIONAL_ID_AUTHORIZATION_FAILED */
export function permitSeeingTransaction(client: Client, id: string): void {
  permitAny(client, SEES_TRANSACTION, `transaction:${id}`)
}

/** @throws KafkaError TOPIC_AUTHORIZATION_FAILED */
export function permitCreatingOnUse(client: Client, name: string): void {
  permitAny(client, CREATES_TOPIC, topicAddress(name))
}

/** @throws KafkaError TOPIC_AUTHORIZATION_FAILED */
export function permitOffsets(client: Client, name: string): void {
  permitAny(client, READS_OFFSETS, topicAddress(name))
}

/** Being idempotent needs no more than some topic to publish to. @throws KafkaError CLUSTER_AUTHORIZATION_FAILED */
export function permitIdempotence({ context, principal }: Client): void {
  if (context.security.mayAnywhere(principal, 'publish', 'topic')) return
  if (isAllowed(context, principal, 'publish', 'broker')) return
  throw new KafkaError(errors.CLUSTER_AUTHORIZATION_FAILED, `${principal.user} may publish to no topic`)
}

function permitAny(client: Client, [first, ...others]: readonly Action[], resource: Resource): void {
  if (!others.some((action) => may(client, action, resource))) permit(client, first!, resource)
}

function codeOf(resource: Resource): number {
  if (resource === 'broker') return errors.CLUSTER_AUTHORIZATION_FAILED
  if (resource.startsWith('group:')) return errors.GROUP_AUTHORIZATION_FAILED
  if (resource.startsWith('transaction:')) return errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  return errors.TOPIC_AUTHORIZATION_FAILED
}

// ---- authorized operations, as bits -------------------------------------------------------------------------------------

/** Where nobody asked. */
export const NOT_TOLD = -2_147_483_648

export function topicOperations(client: Client, name: string): number {
  const resource: Resource = topicAddress(name)
  return (
    bits(may(client, 'read', resource), READ) |
    bits(may(client, 'publish', resource), WRITE) |
    bits(may(client, 'create', resource), CREATE) |
    bits(may(client, 'delete', resource), DELETE) |
    bits(may(client, 'define', resource), ALTER, ALTER_CONFIGS) |
    bits(maySeeTopic(client, name), DESCRIBE) |
    bits(may(client, 'describe', resource), DESCRIBE_CONFIGS)
  )
}

export function groupOperations(client: Client, name: string): number {
  return (
    bits(may(client, 'consume', `group:${name}`), READ) |
    bits(may(client, 'delete', `group:${name}`), DELETE) |
    bits(maySeeGroup(client, name), DESCRIBE)
  )
}

export function clusterOperations(client: Client): number {
  return (
    bits(may(client, 'create', 'broker'), CREATE) |
    bits(may(client, 'administer', 'broker'), ALTER) |
    bits(may(client, 'define', 'broker'), ALTER_CONFIGS) |
    bits(may(client, 'describe', 'broker'), DESCRIBE, DESCRIBE_CONFIGS) |
    bits(client.context.security.mayAnywhere(client.principal, 'publish', 'topic'), IDEMPOTENT_WRITE)
  )
}

function bits(isAllowedNow: boolean, ...operations: readonly number[]): number {
  return isAllowedNow ? operations.reduce((set, operation) => set | (1 << operation), 0) : 0
}
