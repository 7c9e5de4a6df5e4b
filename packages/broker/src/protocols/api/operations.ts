/**
 * Every control operation, once: the native protocol's calls and the HTTP routes run the same table.
 * `runOperation` checks the parameters, asks for access, runs, and waits until what it changed is durable.
 */
import { topicAddress } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { destinationResource } from '../destination-resource.ts'
import type { Principal, SessionContext } from '../session.ts'
import { type DeadLetterOperation, deadLetterOperations } from './dead-letter-operations.ts'
import { type ExchangeOperation, exchangeOperations } from './exchange-operations.ts'
import { type GroupOperation, groupOperations } from './group-operations.ts'
import { check, type Typed } from './json-schema.ts'
import { define, type Operation } from './operation.ts'
import { page } from './page.ts'
import { peek } from './peek.ts'
import { type QuotaOperation, quotaOperations } from './quota-operations.ts'
import * as definitions from './definition-schemas.ts'
import * as schemas from './schemas.ts'
import { type TransactionOperation, transactionOperations } from './transaction-operations.ts'
import { type UserOperation, userOperations } from './user-operations.ts'

export type OperationName =
  | `${'topic' | 'queue' | 'subscription'}.${'create' | 'update' | 'delete' | 'get' | 'list'}`
  | DeadLetterOperation
  | ExchangeOperation
  | GroupOperation
  | TransactionOperation
  | UserOperation
  | QuotaOperation
  | 'producer.open'
  | 'scheduled.cancel'
  | 'peek'
  | 'status'

/**
 * @param params any JSON value; checked here
 * @param signal ends early what takes long and has something to show for it
 * @returns the JSON result, once it is durable
 * @throws MillraceError `unsupported` for an unknown name, `bad_request`, `forbidden`, and what the façade throws
 */
export async function runOperation(
  context: SessionContext,
  principal: Principal,
  name: string,
  params: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  const operation = Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined
  if (operation === undefined) {
    const known = Object.keys(operations).join(', ')
    throw new MillraceError('unsupported', `There is no operation ${JSON.stringify(name.slice(0, 100))}. Known are ${known}.`)
  }
  check(operation.params as Typed<unknown>, params, `the parameters of ${name}`)
  context.authorize(principal, operation.action, operation.resource(params, context.broker))
  const target = operation.publishesTo?.(params)
  if (target !== undefined) context.authorize(principal, 'publish', destinationResource(target))
  return operation.run(context, params, signal, principal)
}

export const operations: Readonly<Record<OperationName, Operation>> = {
  'topic.create': define({
    summary: 'Create a topic, or do nothing if it exists with the same settings',
    action: 'create',
    params: definitions.topicSpec,
    result: definitions.topicInfo,
    resource: ({ name }) => topicAddress(name),
    async run({ broker }, spec) {
      await broker.whenCommitted(broker.createTopic(spec))
      return broker.topic(spec.name)
    },
  }),
  'topic.update': define({
    summary: 'Change the settings of a topic; partitions can only grow',
    action: 'define',
    params: definitions.topicUpdateParams,
    result: definitions.topicInfo,
    resource: ({ name }) => topicAddress(name),
    async run({ broker }, { name, change }) {
      await broker.whenCommitted(broker.updateTopic(name, change))
      return broker.topic(name)
    },
  }),
  'topic.delete': define({
    summary: 'Delete a topic with its records and subscriptions',
    action: 'delete',
    params: schemas.named,
    result: schemas.nothing,
    resource: ({ name }) => topicAddress(name),
    async run({ broker }, { name }) {
      await broker.whenCommitted(broker.deleteTopic(name))
      return {}
    },
  }),
  'topic.get': define({
    summary: 'Describe a topic',
    action: 'describe',
    params: schemas.named,
    result: definitions.topicInfo,
    resource: ({ name }) => topicAddress(name),
    run: ({ broker }, { name }) => broker.topic(name),
  }),
  'topic.list': define({
    summary: 'List topics',
    action: 'describe',
    params: schemas.listParams,
    result: definitions.topicList,
    resource: () => 'broker',
    run: ({ broker }, params) => page(broker.topics(), (topic) => topic.name, params),
  }),

  'queue.create': define({
    summary: 'Create a queue, or do nothing if it exists with the same settings',
    action: 'create',
    params: definitions.queueSpec,
    result: definitions.queueInfo,
    resource: ({ name }) => `queue:${name}`,
    publishesTo: ({ delivery }) => delivery?.deadLetter,
    async run({ broker }, spec) {
      await broker.whenCommitted(broker.createQueue(spec))
      return broker.queue(spec.name)
    },
  }),
  'queue.update': define({
    summary: 'Change the settings of a queue',
    action: 'define',
    params: definitions.queueUpdateParams,
    result: definitions.queueInfo,
    resource: ({ name }) => `queue:${name}`,
    publishesTo: ({ change }) => change.delivery?.deadLetter,
    async run({ broker }, { name, change }) {
      await broker.whenCommitted(broker.updateQueue(name, change))
      return broker.queue(name)
    },
  }),
  'queue.delete': define({
    summary: 'Delete a queue with its messages',
    action: 'delete',
    params: schemas.named,
    result: schemas.nothing,
    resource: ({ name }) => `queue:${name}`,
    async run({ broker }, { name }) {
      await broker.whenCommitted(broker.deleteQueue(name))
      return {}
    },
  }),
  'queue.get': define({
    summary: 'Describe a queue',
    action: 'describe',
    params: schemas.named,
    result: definitions.queueInfo,
    resource: ({ name }) => `queue:${name}`,
    run: ({ broker }, { name }) => broker.queue(name),
  }),
  'queue.list': define({
    summary: 'List queues',
    action: 'describe',
    params: schemas.listParams,
    result: definitions.queueList,
    resource: () => 'broker',
    run: ({ broker }, params) => page(broker.queues(), (queue) => queue.name, params),
  }),

  'subscription.create': define({
    summary: 'Create a subscription of a topic, or do nothing if it exists with the same settings',
    action: 'create',
    params: definitions.subscriptionSpec,
    result: definitions.subscriptionInfo,
    resource: ({ topic, name }) => topicAddress(topic, name),
    publishesTo: ({ delivery }) => delivery?.deadLetter,
    async run({ broker }, spec) {
      await broker.whenCommitted(broker.createSubscription(spec))
      return broker.subscription(spec.topic, spec.name)
    },
  }),
  'subscription.update': define({
    summary: 'Change the settings of a subscription',
    action: 'define',
    params: definitions.subscriptionUpdateParams,
    result: definitions.subscriptionInfo,
    resource: ({ topic, name }) => topicAddress(topic, name),
    publishesTo: ({ change }) => change.delivery?.deadLetter,
    async run({ broker }, { topic, name, change }) {
      await broker.whenCommitted(broker.updateSubscription(topic, name, change))
      return broker.subscription(topic, name)
    },
  }),
  'subscription.delete': define({
    summary: 'Delete a subscription',
    action: 'delete',
    params: schemas.subscriptionNamed,
    result: schemas.nothing,
    resource: ({ topic, name }) => topicAddress(topic, name),
    async run({ broker }, { topic, name }) {
      await broker.whenCommitted(broker.deleteSubscription(topic, name))
      return {}
    },
  }),
  'subscription.get': define({
    summary: 'Describe a subscription',
    action: 'describe',
    params: schemas.subscriptionNamed,
    result: definitions.subscriptionInfo,
    resource: ({ topic, name }) => topicAddress(topic, name),
    run: ({ broker }, { topic, name }) => broker.subscription(topic, name),
  }),
  'subscription.list': define({
    summary: 'List subscriptions, of one topic or of all',
    action: 'describe',
    params: schemas.subscriptionListParams,
    result: definitions.subscriptionList,
    resource: ({ topic }) => (topic === undefined ? 'broker' : topicAddress(topic)),
    // Sorted by `topic/name`: names have no slash, so that is a total order and a usable continuation.
    run: ({ broker }, params) => page(broker.subscriptions(params.topic), (info) => `${info.topic}/${info.name}`, params),
  }),

  ...deadLetterOperations,

  ...exchangeOperations,

  ...groupOperations,
  ...transactionOperations,

  ...userOperations,
  ...quotaOperations,

  'producer.open': define({
    summary: 'Open an idempotent producer of a name for a destination, and fence whoever had it',
    action: 'publish',
    params: schemas.producerOpenParams,
    result: schemas.producerIdentity,
    resource: ({ destination }) => destinationResource(destination),
    async run({ broker }, { destination, name, current }) {
      broker.destination(destination, true)
      // Names count per destination: who may publish there may open them.
      const identity = broker.openProducer(`${name}@${destination}`, current)
      await broker.whenCommitted(broker.ticket())
      return identity
    },
  }),

  'scheduled.cancel': define({
    summary: 'Take back a message that is scheduled',
    action: 'publish',
    params: schemas.scheduledParams,
    result: schemas.scheduledCancelled,
    resource: ({ id }, broker) => destinationResource(broker.scheduled(id) ?? 'broker'),
    async run({ broker }, { id }) {
      const cancelled = broker.cancelScheduled(id)
      if (cancelled) await broker.whenCommitted(broker.ticket())
      return { cancelled }
    },
  }),

  peek: define({
    summary: 'Look at messages of a topic or queue without consuming them',
    action: 'read',
    params: schemas.peekParams,
    result: schemas.messageList,
    resource: ({ source }) => source,
    run: peek,
  }),
  status: define({
    summary: 'Version, process and listeners of the broker',
    action: 'describe',
    params: schemas.nothing,
    result: schemas.brokerStatus,
    resource: () => 'broker',
    run: (context) => context.status(),
  }),
}
