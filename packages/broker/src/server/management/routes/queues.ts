import { destinationAddress, topicAddress } from '@millrace/wire'
import { scopedName, splitScopedName } from '../../../base/scoped-names.ts'
import { AmqpError } from '../../../protocols/amqp/amqp-error.ts'
import { checkNotReserved } from '../../../protocols/amqp/definitions/names.ts'
import { declaredOf, findQueue, type FoundQueue } from '../../../protocols/amqp/definitions/found-queue.ts'
import { VhostNames } from '../../../protocols/amqp/vhost-names.ts'
import { flagField, tableField, textField } from '../body-fields.ts'
import { badRequest, notFound } from '../failures.ts'
import { get, type ManagementCall, type ManagementRoute, noContent, post, put, remove, written } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { type ConsumerPlace, consumersOf, consumerView } from '../views/connection-view.ts'
import { allQueues, countsOf } from '../views/counted.ts'
import { queueView } from '../views/queue-view.ts'
import { vhostOf } from './vhosts.ts'

export const queueRoutes: readonly ManagementRoute[] = [
  get('/api/queues', ({ access }, services) => queuesIn(access.visible(), services)),
  get('/api/queues/{vhost}', (call, services) => {
    const vhost = vhostOf(call, services)
    return queuesIn((each) => each === vhost, services)
  }),
  get('/api/queues/{vhost}/{name}', (call, services) => {
    const found = queueOf(call, services)
    const consumers = consumersByQueue(services).get(found.info.name) ?? []
    return {
      ...queueView(found, consumers, services),
      consumer_details: consumers.map((consumer) => consumerView(consumer, services)),
    }
  }),
  put('/api/queues/{vhost}/{name}', declare),
  remove('/api/queues/{vhost}/{name}', deleteQueue),
  remove('/api/queues/{vhost}/{name}/contents', async (call, services) => {
    const { broker } = services.session
    const found = usableQueue(call, services, 'purge')
    call.access.check('consume', `queue:${found.info.name}`)
    if (found.kind === 'topic') throw new AmqpError('not-implemented', 'queue.purge not supported by streams')
    await broker.whenCommitted(broker.purgeQueue(found.info.name).ticket)
    return noContent()
  }),
  post('/api/queues/{vhost}/{name}/actions', async (call, services) => {
    const found = queueOf(call, services)
    call.access.check('create', destinationAddress(found.kind, found.info.name))
    const action = textField(await call.body(), 'action')
    // There is one node: its queues are always in sync.
    if (action === 'sync' || action === 'cancel_sync') return noContent()
    throw badRequest(`unknown action: ${JSON.stringify(action ?? null)}`)
  }),
]

/** That of the path. @throws MillraceError `forbidden`, `not_found` */
export function queueOf(call: ManagementCall, services: ManagementServices): FoundQueue {
  const vhost = vhostOf(call, services)
  const name = call.param('name')
  const found = findQueue(services.administration.broker, scopedName(vhost, name))
  if (found === undefined) throw notFound(`queue ${JSON.stringify(name)}`)
  return found
}

/** One that belongs to no connection. @throws AmqpError 405, and what `queueOf` throws */
export function usableQueue(call: ManagementCall, services: ManagementServices, what: string): FoundQueue {
  const found = queueOf(call, services)
  if (!declaredOf(found).exclusive) return found
  const { vhost, name } = splitScopedName(found.info.name)
  const told = new VhostNames(vhost).told('queue', name)
  throw new AmqpError('resource-locked', `cannot ${what}: exclusive access to locked ${told} belongs to its connection`)
}

function queuesIn(isVisible: (vhost: string) => boolean, services: ManagementServices): readonly object[] {
  const consumers = consumersByQueue(services)
  return allQueues(services)
    .filter(({ info }) => isVisible(splitScopedName(info.name).vhost))
    .map((found) => queueView(found, consumers.get(found.info.name) ?? [], services))
}

function consumersByQueue({ administration }: ManagementServices): ReadonlyMap<string, readonly ConsumerPlace[]> {
  const byQueue = new Map<string, ConsumerPlace[]>()
  for (const place of consumersOf(administration.directory.connections())) {
    const core = scopedName(place.connection.vhost, place.consumer.queue)
    const known = byQueue.get(core)
    if (known === undefined) byQueue.set(core, [place])
    else known.push(place)
  }
  return byQueue
}

async function declare(call: ManagementCall, services: ManagementServices): Promise<Response> {
  const { access } = call
  const { declarations, broker } = services.administration
  const vhost = vhostOf(call, services)
  const name = call.param('name')
  const core = scopedName(vhost, name)
  access.check('create', `queue:${core}`)
  const body = await call.body()
  const args = tableField(body, 'arguments')
  if (args['x-queue-type'] === 'stream') access.check('create', topicAddress(core))
  const isNew = findQueue(broker, core) === undefined
  if (isNew) checkNotReserved('queue', name)
  const deadLetters = args['x-dead-letter-exchange']
  if (typeof deadLetters === 'string') {
    access.check('consume', `queue:${core}`)
    access.check('publish', `exchange:${deadLetters === '' ? '' : scopedName(vhost, deadLetters)}`)
  }
  const ticket = declarations.queue(vhost, name, {
    durable: flagField(body, 'durable', true),
    autoDelete: flagField(body, 'auto_delete', false),
    arguments: args,
  })
  await broker.whenCommitted(ticket)
  return written(isNew)
}

async function deleteQueue(call: ManagementCall, services: ManagementServices): Promise<Response> {
  const { broker } = services.session
  const found = usableQueue(call, services, 'delete')
  const { kind, info } = found
  call.access.check('delete', destinationAddress(kind, info.name))
  const told = `queue '${call.param('name')}' in vhost '${call.param('vhost')}'`
  const isAsked = (condition: string): boolean => call.search.get(condition) === 'true'
  if (isAsked('if-empty') && countsOf(found).messages > 0) throw new AmqpError('precondition-failed', `${told} is not empty`)
  if (isAsked('if-unused') && isUsed(found, services)) throw new AmqpError('precondition-failed', `${told} in use`)
  await broker.whenCommitted(kind === 'queue' ? broker.deleteQueue(info.name) : broker.deleteTopic(info.name))
  return noContent()
}

/** Also by consumers of other doors. */
function isUsed(found: FoundQueue, services: ManagementServices): boolean {
  if (found.kind === 'queue') return found.info.consumers > 0
  return consumersByQueue(services).has(found.info.name)
}
