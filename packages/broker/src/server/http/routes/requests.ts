import { CORRELATION_ID_HEADER, destinationAddress, REPLY_TO_HEADER } from '@millrace/wire'
import { MillraceError } from '../../../base/errors.ts'
import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { messageSchema } from '../../../protocols/api/message-json.ts'
import { resourceOf } from '../../../protocols/destination-resource.ts'
import { keyCheck } from '../../../protocols/key-check.ts'
import { json } from '../problem.ts'
import type { NewMessage } from '../publish-request.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import {
  admission,
  findOrExplain,
  messageHeaders,
  messageQuery,
  partitionParameter,
  publishRequestOf,
  quotaWait,
} from './messages.ts'

const TIMEOUT_MS = 30_000
const TIMEOUT_MS_MAX = 60_000
const REPLIES_MAX = 1000

const requestQuery: ObjectSchema = {
  type: 'object',
  properties: {
    ...messageQuery,
    timeoutMs: {
      type: 'integer',
      minimum: 1,
      maximum: TIMEOUT_MS_MAX,
      description: `How long to wait for replies. Default ${TIMEOUT_MS}.`,
    },
    maxReplies: {
      type: 'integer',
      minimum: 1,
      maximum: REPLIES_MAX,
      description:
        'Wait for so many replies, and answer with a list of those that came in time. Default: answer with the first one.',
    },
  },
  additionalProperties: false,
}

type Kind = 'queue' | 'topic' | 'exchange'

/** Ask over a queue, topic or exchange, and get what those who consume the question reply. */
export function requestRoutes(services: HttpServices): readonly Route[] {
  return (['queue', 'topic', 'exchange'] as const).map((kind) => requestRoute(services, kind))
}

function requestRoute(services: HttpServices, kind: Kind): Route {
  return {
    method: 'post',
    path: `/v1/${kind}s/{name}/requests`,
    id: `${kind}.request`,
    tag: kind,
    summary: 'Publish a message and wait for replies to it',
    description:
      'The body is the message, byte for byte. Its headers reply-to and correlation-id are set here; whoever consumes it sends them back, as the reply request does. ' +
      'Replies that come later are dropped. When the client leaves before, the message stays published.',
    query:
      kind === 'topic'
        ? { ...requestQuery, properties: { ...requestQuery.properties, partition: partitionParameter } }
        : requestQuery,
    headers: messageHeaders,
    body: { description: 'The message.', required: false, content: { '*/*': { description: 'The body of the message.' } } },
    answers: {
      200: {
        description: 'The first reply; with maxReplies, those that came in time, in the order in which they came.',
        content: { 'application/json': { anyOf: [messageSchema, repliesSchema] } },
      },
    },
    errors: [
      'illegal_name',
      'not_found',
      'record_too_large',
      'unroutable',
      'queue_full',
      'overloaded',
      'disk_full',
      'draining',
      'closed',
      'timeout',
      'outcome_unknown',
    ],
    async handle(call) {
      const { context, params, query, principal, signal } = call
      const name = params['name']!
      services.session.authorize(principal, 'publish', resourceOf(kind, name))
      await admission(services)
      const body = await services.bodies.read(context.env.incoming)
      const message = questionOf(call, body)
      const repliesMax = query['maxReplies'] as number | undefined
      const asked = services.inbox.ask({
        destination: destinationAddress(kind, name),
        timeoutMs: (query['timeoutMs'] as number | undefined) ?? TIMEOUT_MS,
        repliesMax: repliesMax ?? 1,
        signal,
      })
      try {
        publish(services, call, kind, { ...message, headers: [...message.headers, ...asked.headers] })
        const { broker } = services.session
        await Promise.all([broker.whenCommitted(broker.ticket()), quotaWait(services, principal, body.length)])
      } catch (error) {
        asked.forget()
        throw error
      }
      const replies = await asked.replies()
      return json(200, repliesMax === undefined ? replies[0] : { replies })
    },
  }
}

const repliesSchema = {
  type: 'object',
  properties: { replies: { type: 'array', items: messageSchema, maxItems: REPLIES_MAX } },
  required: ['replies'],
}

/** @throws MillraceError `bad_request` */
function questionOf(call: Call, body: Uint8Array): NewMessage {
  const [message] = publishRequestOf(call, body, false).messages
  const own = message!.headers.find(({ key }) => key === REPLY_TO_HEADER || key === CORRELATION_ID_HEADER)
  if (own === undefined) return message!
  throw new MillraceError('bad_request', `The header ${own.key} of a request is set by the broker: leave it out.`)
}

function publish(
  { session, publisher }: HttpServices,
  { params, query, principal }: Call,
  kind: Kind,
  message: NewMessage,
): void {
  const { broker } = session
  const name = params['name']!
  const checkKey = keyCheck(session, principal)
  const destination = findOrExplain(kind, name, () => broker.destination(destinationAddress(kind, name), true, checkKey))
  publisher.publish(destination, [message], query['partition'] as number | undefined)
}
