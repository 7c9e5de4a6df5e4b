import { destinationAddress, RecordBatchBuilder } from '@millrace/wire'
import { scopedName, splitScopedName } from '../../../base/scoped-names.ts'
import type { Route } from '../../../core/broker.ts'
import { AmqpError } from '../../../protocols/amqp/amqp-error.ts'
import { tellsCountOf } from '../../../protocols/amqp/definitions/found-queue.ts'
import { FormParts, MessageForm } from '../../../protocols/amqp/message-form.ts'
import { RoutedForm } from '../../../protocols/amqp/message-in.ts'
import type { Access } from '../access.ts'
import { numberField, requiredText, tableField, textField } from '../body-fields.ts'
import { badRequest } from '../failures.ts'
import { get, type Json, type ManagementCall, type ManagementRoute, post } from '../management-route.ts'
import { propertiesOf, shownMessage } from '../message-json.ts'
import type { ManagementServices } from '../services.ts'
import { takeMessages } from '../take-messages.ts'
import { countsOf } from '../views/counted.ts'
import { exchangeName } from './exchanges.ts'
import { queueOf, usableQueue } from './queues.ts'
import { vhostOf } from './vhosts.ts'

const MESSAGES_MAX = 10_000
const ALIVENESS_QUEUE = 'aliveness-test'

export const messageRoutes: readonly ManagementRoute[] = [
  post('/api/exchanges/{vhost}/{name}/publish', async (call, services) => {
    const vhost = vhostOf(call, services)
    const exchange = exchangeName(call)
    const body = await call.body()
    const message = {
      properties: tableField(body, 'properties'),
      routingKey: requiredText(body, 'routing_key'),
      payload: payloadOf(body),
    }
    return { routed: await publish(call.access, services, vhost, exchange, message) }
  }),
  post('/api/queues/{vhost}/{name}/get', take),
  get('/api/aliveness-test/{vhost}', alive),
]

interface NewMessage {
  readonly properties: Json
  readonly routingKey: string
  readonly payload: Uint8Array
}

/** @returns whether some queue took it, durably */
async function publish(
  access: Access,
  { session }: ManagementServices,
  vhost: string,
  exchange: string,
  message: NewMessage,
): Promise<boolean> {
  const { broker, platform } = session
  const core = exchange === '' ? '' : scopedName(vhost, exchange)
  if (exchange !== '') access.check('publish', `exchange:${core}`)
  const source = broker.router.source(core)
  if (source.internal)
    throw new AmqpError('access-refused', `cannot publish to internal exchange '${exchange}' in vhost '${vhost}'`)
  const properties = propertiesOf(message.properties)
  const form = new MessageForm(properties, 0, properties.length, core, new FormParts())
  if (form.userId !== undefined && form.userId !== access.principal.user)
    throw new AmqpError(
      'precondition-failed',
      `user_id property set to '${form.userId}' but authenticated user was '${access.principal.user}'`,
    )
  const { routingKey, payload } = message
  const routed = new RoutedForm(form)
  routed.key = exchange === '' ? scopedName(vhost, routingKey) : routingKey
  routed.moreKeys = exchange === '' ? form.moreKeys.map((key) => scopedName(vhost, key)) : form.moreKeys
  if (exchange !== '' && broker.router.exchange(core).type === 'topic')
    for (const key of [routingKey, ...form.moreKeys]) access.checkKey(core, key, 'write')
  const route = source.route(routed)
  if (exchange === '') checkQueues(access, route, routed.key)
  const nowMs = platform.clock.nowMs()
  const builder = new RecordBatchBuilder()
  builder.appendEncoded(nowMs, form.recordKey(routingKey), payload, 0, payload.length, form.headersAt(nowMs))
  // Nothing was stored, so there is no commit to wait for.
  if (route.destinations.length === 0) return false
  const refused = route.publish(builder.finish())
  if (refused !== undefined && refused.length >= route.destinations.length) return false
  await broker.whenCommitted(broker.ticket())
  return true
}

/** What goes by the default exchange is published to queues. @throws MillraceError `forbidden` */
function checkQueues(access: Access, { destinations }: Route, key: string): void {
  if (destinations.length === 0) access.check('publish', `queue:${key}`)
  for (const { kind, name } of destinations) access.check('publish', destinationAddress(kind, name))
}

/** @throws MillraceError `bad_request` */
function payloadOf(body: Json): Uint8Array {
  const payload = requiredText(body, 'payload')
  const encoding = requiredText(body, 'payload_encoding')
  if (encoding === 'string') return Buffer.from(payload, 'utf8')
  if (encoding !== 'base64') throw badRequest(`unsupported payload_encoding: ${encoding}`)
  return Buffer.from(payload, 'base64')
}

type Acknowledgement = 'ack_requeue_true' | 'reject_requeue_true' | 'ack_requeue_false' | 'reject_requeue_false'
const acknowledgements: readonly Acknowledgement[] = [
  'ack_requeue_true',
  'reject_requeue_true',
  'ack_requeue_false',
  'reject_requeue_false',
]

async function take(call: ManagementCall, services: ManagementServices): Promise<readonly object[]> {
  const { broker } = services.session
  const found = usableQueue(call, services, 'get')
  call.access.check('consume', `queue:${found.info.name}`)
  if (found.kind === 'topic') throw new AmqpError('not-implemented', 'basic.get not supported by streams')
  const body = await call.body()
  const count = Math.min(numberField(body, 'count') ?? 1, MESSAGES_MAX)
  if (count < 1) throw badRequest('count is a whole number from 1')
  const how = acknowledgementOf(body)
  const encoding = textField(body, 'encoding') ?? 'auto'
  if (encoding !== 'auto' && encoding !== 'base64') throw badRequest(`unsupported encoding: ${encoding}`)
  const truncate = numberField(body, 'truncate') ?? Number.MAX_SAFE_INTEGER
  const { name: queue } = splitScopedName(found.info.name)
  const options = { queue, tellsCount: tellsCountOf(found), encoding, truncate } as const
  return takeMessages(broker, found.info.name, count, (taken, settle) => {
    const left = countsOf(queueOf(call, services)).messages_ready
    return taken.map((message, n) => {
      const { delivery, offset } = message
      const shown = shownMessage(delivery, offset, { ...options, messagesLeft: left + taken.length - 1 - n })
      if (how === 'ack_requeue_false') settle(message, { kind: 'ack' })
      else if (how === 'reject_requeue_false') settle(message, { kind: 'reject', reason: 'rejected' })
      // What is left goes back with the end of the consumer, as a delivery that counts.
      return shown
    })
  })
}

/** @throws MillraceError `bad_request` */
function acknowledgementOf(body: Json): Acknowledgement {
  const mode = requiredText(body, 'ackmode')
  const found = acknowledgements.find((each) => each === mode)
  if (found === undefined) throw badRequest(`ackmode is one of ${acknowledgements.join(', ')}`)
  return found
}

/** Declares a queue, publishes to it and takes the message out again. */
async function alive(call: ManagementCall, services: ManagementServices): Promise<object> {
  const { declarations, broker } = services.administration
  const vhost = vhostOf(call, services)
  const core = scopedName(vhost, ALIVENESS_QUEUE)
  for (const action of ['create', 'publish', 'consume'] as const) call.access.check(action, `queue:${core}`)
  declarations.queue(vhost, ALIVENESS_QUEUE, { durable: false, autoDelete: false, arguments: {} })
  await publish(call.access, services, vhost, '', {
    properties: {},
    routingKey: ALIVENESS_QUEUE,
    payload: Buffer.from('test_message'),
  })
  await takeMessages(broker, core, 1, (taken, settle) => {
    for (const message of taken) settle(message, { kind: 'ack' })
    if (taken.length === 0) throw new AmqpError('internal-error', 'the message did not come')
  })
  return { status: 'ok' }
}
