import {
  bytesFromJson,
  CORRELATION_ID_HEADER,
  parseTopicAddress,
  type RecordHeader,
  REPLY_TO_HEADER,
  replyDestination,
  topicAddress,
} from '@millrace/wire'
import { MillraceError } from '../../../base/errors.ts'
import type { Destination } from '../../../core/broker.ts'
import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { peek } from '../../../protocols/api/peek.ts'
import { destinationResource } from '../../../protocols/destination-resource.ts'
import { keyCheck } from '../../../protocols/key-check.ts'
import type { Principal, SessionContext } from '../../../protocols/session.ts'
import { json } from '../problem.ts'
import type { NewMessage } from '../publish-request.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { type SourceKind, sourceKinds } from './consume.ts'
import { admission, messageHeaders, messageQuery, publishRequestOf, quotaWait } from './messages.ts'
import { placeSchema, receiptsOf } from './transactions.ts'

const replyQuery: ObjectSchema = {
  type: 'object',
  properties: {
    ...messageQuery,
    ack: {
      type: 'boolean',
      description:
        'Whether the message is acknowledged with the reply, both or neither. Default true; with false it stays received and its lease starts anew.',
    },
  },
  additionalProperties: false,
}

/** Answer a message that was received. */
export function replyRoutes(services: HttpServices): readonly Route[] {
  return sourceKinds.map((kind) => replyRoute(services, kind))
}

function replyRoute(services: HttpServices, { tag, path, sourceOf }: SourceKind): Route {
  return {
    method: 'post',
    path: `${path}/messages/{handle}/reply`,
    id: `${tag}.reply`,
    tag,
    summary: 'Answer a received message, and acknowledge it in the same commit',
    description:
      'The body is the reply, byte for byte. It goes to where the header reply-to of the message says, with its correlation-id. ' +
      'not_found: whoever asked does not wait any more; nothing was done.',
    query: replyQuery,
    headers: messageHeaders,
    body: { description: 'The reply.', required: false, content: { '*/*': { description: 'The body of the reply.' } } },
    answers: { 201: { description: 'Durable.', content: { 'application/json': placeSchema } } },
    errors: [
      'not_found',
      'stale_delivery',
      'record_too_large',
      'unroutable',
      'queue_full',
      'overloaded',
      'disk_full',
      'draining',
      'outcome_unknown',
    ],
    async handle(call) {
      const source = sourceOf(call.params)
      services.session.authorize(call.principal, 'consume', source)
      await admission(services)
      const body = await services.bodies.read(call.context.env.incoming)
      const question = await readQuestion(services, source, call.params['handle']!, call.signal)
      const [reply] = publishRequestOf(call, body, false).messages
      return json(201, await publishReply(services, call, question, correlated(reply!, question)))
    },
  }
}

/** A message that is held, and what it says about answers. */
interface HeldQuestion {
  readonly source: string
  readonly handle: string
  readonly replyTo: string
  /** What the answer must carry. */
  readonly headers: readonly RecordHeader[]
}

/** @throws MillraceError `bad_request` when it asks for no answer, `stale_delivery` when it is settled */
async function readQuestion(
  { session, leases }: HttpServices,
  source: string,
  handle: string,
  signal: AbortSignal,
): Promise<HeldQuestion> {
  const { partition, offset } = leases.held(source, handle)
  const topic = parseTopicAddress(source)?.name
  const stored = topic === undefined ? source : topicAddress(topic)
  const { messages } = await peek(session, { source: stored, partition, from: { offset }, max: 1 }, signal)
  const [message] = messages
  if (message?.offset !== offset) throw staleHandle(handle)
  const replyTo = message.headers[REPLY_TO_HEADER]
  if (typeof replyTo !== 'string' || replyTo === '')
    throw new MillraceError('bad_request', `Message ${offset} asks for no answer: it has no header \`${REPLY_TO_HEADER}\`.`)
  const correlation = bytesFromJson(message.headers[CORRELATION_ID_HEADER] ?? null)
  const headers = correlation === null || correlation === undefined ? [] : [{ key: CORRELATION_ID_HEADER, value: correlation }]
  return { source, handle, replyTo: replyDestination(replyTo), headers }
}

function correlated(reply: NewMessage, { headers }: HeldQuestion): NewMessage {
  return { ...reply, headers: [...reply.headers.filter(({ key }) => key !== CORRELATION_ID_HEADER), ...headers] }
}

async function publishReply(
  services: HttpServices,
  { principal, query }: Call,
  { source, handle, replyTo }: HeldQuestion,
  reply: NewMessage,
): Promise<object> {
  const { session, leases, publisher } = services
  const { broker } = session
  session.authorize(principal, 'publish', destinationResource(replyTo))
  const batch = publisher.batchOf(reply)
  const to = findAsker(session, principal, replyTo)
  const acks =
    query['ack'] === false
      ? []
      : leases.actions(principal.user, [handle], { kind: 'ack' }, () => session.authorize(principal, 'consume', source))
  if (acks.length === 0 && leases.settle(principal.user, source, [handle], { kind: 'extend' }).length > 0)
    throw staleHandle(handle)
  const [places] = broker.transact([{ kind: 'multicast', to: [to], batch }, ...acks])
  await Promise.all([broker.whenCommitted(broker.ticket()), quotaWait(services, principal, batch.length)])
  return receiptsOf([replyTo], places!)[0]!
}

/** It is not created for the answer: nobody would take it from there. */
function findAsker(session: SessionContext, principal: Principal, replyTo: string): Destination {
  try {
    return session.broker.destination(replyTo, false, keyCheck(session, principal))
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'not_found') throw error
    const what = `Whoever asked does not wait any more: there is no ${replyTo}. Nothing was done; acknowledge the message without a reply.`
    throw new MillraceError('not_found', what, { cause: error })
  }
}

function staleHandle(handle: string): MillraceError {
  return new MillraceError(
    'stale_delivery',
    `The message of ${handle} is not held any more: it was settled, its lease ended, or the broker was restarted. Nothing was done.`,
  )
}
