import { destinationAddress, isPastDue, type RetryPolicy } from '@millrace/wire'
import { type ErrorCode, MillraceError } from '../../../base/errors.ts'
import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { messageSchema } from '../../../protocols/api/message-json.ts'
import { runOperation } from '../../../protocols/api/operations.ts'
import { messageList, PEEK_MAX, positionsAfter, readFilter } from '../../../protocols/api/schemas.ts'
import { resourceOf } from '../../../protocols/destination-resource.ts'
import { holdsPublishers } from '../../../protocols/held-publishers.ts'
import { keyCheck } from '../../../protocols/key-check.ts'
import type { Principal } from '../../../protocols/session.ts'
import { BACKOFF_FORM, parseBackoff } from '../../config/quantities.ts'
import { json } from '../problem.ts'
import {
  MESSAGES_MAX,
  newMessageSchema,
  prioritySchema,
  type PublishRequest,
  readPublishRequest,
  ttlSchema,
} from '../publish-request.ts'
import { parseStartPosition, startPositionParameter } from '../query.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { Tail } from '../tail.ts'

/** How long a publish waits while publishers are held back before it is refused. */
const CONGESTION_WAIT_MS = 5000

export const receiptSchema: { readonly type: 'object'; readonly properties: object; readonly required: readonly string[] } = {
  type: 'object',
  properties: {
    partition: { type: 'integer', description: 'In a queue with priorities: the level.' },
    offset: {
      type: 'integer',
      minimum: -1,
      description:
        '-1: not known, because the message is scheduled, went through an exchange, or is a duplicate of one whose place is not known any more.',
    },
    scheduled: { type: 'integer', description: 'Id of a scheduled message: DELETE /v1/scheduled/{id} takes it back.' },
    duplicate: {
      const: true,
      description: 'The message was published before, inside the dedup window: it was not stored again.',
    },
  },
  required: ['partition', 'offset'],
}
export const partitionParameter: ObjectSchema['properties'][string] = {
  type: 'integer',
  minimum: 0,
  description: 'A partition of the topic. Default: by key, or all when reading. When reading a queue with priorities: one level.',
}

/** Query parameters that say what one message has beside its body. */
export const messageQuery: ObjectSchema['properties'] = {
  key: { type: 'string', description: 'Messages with the same key stay in order. Instead of the header Millrace-Key.' },
  timestampMs: { type: 'integer', minimum: 0, description: 'Milliseconds since 1970. Default: now.' },
  ttlMs: ttlSchema,
  priority: prioritySchema,
  maxAttempts: {
    type: 'integer',
    minimum: 1,
    description: 'Deliveries before the message is dead-lettered, whatever the queue or subscription says.',
  },
  backoff: {
    type: 'string',
    description: `How long it waits for its next attempt, whatever the queue or subscription says: ${BACKOFF_FORM}.`,
  },
}

/** Request headers that say the same. */
export const messageHeaders: Readonly<Record<string, string>> = {
  'Millrace-Key': 'Key of the message.',
  'Millrace-Header-NAME': 'Header NAME of the message, in lower case. Any number of them.',
}

const publishQuery: ObjectSchema = {
  type: 'object',
  properties: {
    ...messageQuery,
    delayMs: {
      type: 'integer',
      description: 'Publish only after so many milliseconds: see `scheduled` of the receipt. Below 0 is refused: `time_in_past`.',
    },
    deliverAtMs: {
      type: 'integer',
      description: 'Publish only at this time, milliseconds since 1970. One that has passed is refused: `time_in_past`.',
    },
    partition: partitionParameter,
    batch: { type: 'boolean', description: 'Whether the body is a batch; by default its content type and shape decide.' },
  },
  additionalProperties: false,
}

const peekQuery: ObjectSchema = {
  type: 'object',
  properties: {
    from: startPositionParameter,
    after: positionsAfter,
    max: { type: 'integer', minimum: 1, maximum: PEEK_MAX, description: 'Default 10.' },
    filter: readFilter,
    partition: partitionParameter,
  },
  additionalProperties: false,
}

const tailQuery: ObjectSchema = {
  type: 'object',
  properties: {
    from: { ...startPositionParameter, description: `${startPositionParameter.description} Default \`latest\`.` },
    filter: readFilter,
    partition: partitionParameter,
  },
  additionalProperties: false,
}

/** Publish, peek and tail: the same for queues and topics. */
export function messageRoutes(services: HttpServices): readonly Route[] {
  return [
    ...publishTo.map((to) => publishRoute(services, to)),
    ...(['queue', 'topic'] as const).flatMap((kind) => [peekRoute(services, kind), tailRoute(services, kind)]),
  ]
}

/** What is published to. */
interface PublishTo {
  readonly kind: 'queue' | 'topic' | 'exchange'
  /** What becomes of one that does not exist. */
  readonly missing: string
  readonly query: ObjectSchema
  readonly errors: readonly ErrorCode[]
}

const created = (kind: string): string =>
  `A ${kind} that does not exist is created, unless the broker is configured with autoCreate: false.`
const properties = Object.entries(publishQuery.properties).filter(([name]) => name !== 'partition')
const publishTo: readonly PublishTo[] = [
  { kind: 'queue', missing: created('queue'), query: publishQuery, errors: [] },
  { kind: 'topic', missing: created('topic'), query: publishQuery, errors: [] },
  {
    kind: 'exchange',
    missing:
      'The key of a message says where it goes. When nothing takes one of them (unroutable), none is published; when a queue is full (queue_full), the others have got it.',
    query: { ...publishQuery, properties: Object.fromEntries(properties) },
    errors: ['forbidden', 'unroutable', 'queue_full'],
  },
]

const publishBody: NonNullable<Route['body']> = {
  description: 'One message or a batch.',
  required: false,
  content: {
    '*/*': { description: 'The body of one message.' },
    'application/json': {
      anyOf: [
        { description: 'The body of one message.' },
        {
          type: 'object',
          properties: { messages: { type: 'array', items: newMessageSchema, maxItems: MESSAGES_MAX } },
          required: ['messages'],
          additionalProperties: false,
        },
      ],
    },
    'application/x-ndjson': newMessageSchema,
  },
}
const receipts = {
  anyOf: [
    receiptSchema,
    { type: 'object', properties: { receipts: { type: 'array', items: receiptSchema } }, required: ['receipts'] },
  ],
}

function publishRoute(services: HttpServices, { kind, missing, query: accepted, errors }: PublishTo): Route {
  const { session, publisher, bodies } = services
  const { broker } = session
  return {
    method: 'post',
    path: `/v1/${kind}s/{name}/messages`,
    id: `${kind}.publish`,
    tag: kind,
    summary: `Publish to ${kind === 'exchange' ? 'an exchange' : `a ${kind}`}; the answer comes when the messages are durable`,
    description:
      `The body is one message, byte for byte, whatever its content type; its content type is kept as the header content-type. ` +
      `JSON of the shape { "messages": [...] } and NDJSON are batches of at most ${MESSAGES_MAX} messages. ${missing}`,
    query: accepted,
    headers: messageHeaders,
    body: publishBody,
    answers: {
      201: {
        description: 'Durable. One receipt for one message, { "receipts": [...] } in order for a batch.',
        content: { 'application/json': receipts },
      },
    },
    errors: [
      'illegal_name',
      'not_found',
      'time_in_past',
      'record_too_large',
      'overloaded',
      'disk_full',
      'draining',
      'outcome_unknown',
      ...errors,
    ],
    async handle(call) {
      const { context, query, params, principal } = call
      const target = destinationAddress(kind, params['name']!)
      session.authorize(principal, 'publish', resourceOf(kind, params['name']!))
      const dueMs = dueTime(query, session.platform.clock.nowMs())
      await admission(services)
      const body = await bodies.read(context.env.incoming)
      const { messages, isBatch } = publishRequestOf(call, body, query['batch'] as boolean | undefined)
      const checkKey = keyCheck(session, principal)
      const destination = findOrExplain(kind, params['name']!, () => broker.destination(target, true, checkKey))
      const published = publisher.publish(destination, messages, query['partition'] as number | undefined, dueMs)
      await Promise.all([broker.whenCommitted(broker.ticket()), quotaWait(services, principal, body.length)])
      return json(201, isBatch ? { receipts: published } : published[0])
    },
  }
}

function peekRoute({ session }: HttpServices, kind: 'queue' | 'topic'): Route {
  return {
    method: 'get',
    path: `/v1/${kind}s/{name}/messages`,
    id: `${kind}.peek`,
    tag: kind,
    summary: 'Look at messages without consuming them',
    description:
      'The answer comes after 5 seconds at the latest: with a filter over many messages it may have few or none, and `next` to go on with.',
    query: peekQuery,
    answers: {
      200: {
        description: 'In offset order per partition; those of a queue with priorities highest first.',
        content: { 'application/json': messageList },
      },
    },
    errors: ['not_found', 'bad_selector', 'offset_out_of_range'],
    async handle({ params, query, principal, signal }) {
      const { from, ...rest } = query
      const where = typeof from === 'string' ? { from: parseStartPosition(from) } : {}
      return json(
        200,
        await runOperation(
          session,
          principal,
          'peek',
          { source: destinationAddress(kind, params['name']!), ...rest, ...where },
          signal,
        ),
      )
    },
  }
}

function tailRoute({ session, tails }: HttpServices, kind: 'queue' | 'topic'): Route {
  return {
    method: 'get',
    path: `/v1/${kind}s/{name}/tail`,
    id: `${kind}.tail`,
    tag: kind,
    summary: 'Follow new messages as server-sent events, without consuming them',
    description:
      'One event per message. After a broken connection, Last-Event-ID (which browsers send by themselves) goes on where it stopped.',
    query: tailQuery,
    headers: { 'Last-Event-ID': 'Id of the last event that was seen.' },
    answers: { 200: { description: 'The data of each event is a message.', content: { 'text/event-stream': messageSchema } } },
    errors: ['not_found', 'bad_selector', 'offset_out_of_range'],
    handle({ context, params, query, principal }) {
      const source = destinationAddress(kind, params['name']!)
      session.authorize(principal, 'read', source)
      const from = query['from'] as string | undefined
      const tail: Tail = new Tail(
        session.broker,
        session.platform,
        {
          source,
          partition: query['partition'] as number | undefined,
          from: from === undefined ? 'latest' : parseStartPosition(from),
          filter: query['filter'] as string | undefined,
          lastEventId: context.req.header('last-event-id'),
          authorize: () => session.authorize(principal, 'read', source),
        },
        () => void tails.delete(tail),
      )
      tails.add(tail)
      return new Response(tail.stream(), { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } })
    },
  }
}

/**
 * Waits while publishers should not be read from: before the body is read, so that it stays with the sender.
 * @throws MillraceError `overloaded`
 */
export async function admission({ session: { broker, platform } }: HttpServices): Promise<void> {
  if (!holdsPublishers(broker)) return
  await new Promise<void>((resolve, reject) => {
    const stop = broker.onRelief(() => {
      if (holdsPublishers(broker)) return
      stop()
      timer.cancel()
      resolve()
    })
    const timer = platform.scheduler.after(CONGESTION_WAIT_MS, () => {
      stop()
      reject(
        new MillraceError(
          'overloaded',
          'The broker has more to write, or in memory, than it can at the moment. Try again shortly.',
        ),
      )
    })
  })
}

/** Over their quota, publishers are answered late. */
export function quotaWait({ session: { broker, platform } }: HttpServices, principal: Principal, bytes: number): Promise<void> {
  const waitMs = broker.quotas.charge(principal.user, principal.clientId ?? '', 'publish', bytes)
  return waitMs === 0 ? Promise.resolve() : new Promise((resolve) => void platform.scheduler.after(waitMs, resolve))
}

/** @param batch as of `readPublishRequest`. @throws MillraceError `bad_request` */
export function publishRequestOf({ context, query }: Call, body: Uint8Array, batch: boolean | undefined): PublishRequest {
  return readPublishRequest({
    contentType: context.req.header('content-type'),
    body,
    headers: context.req.raw.headers.entries(),
    key: (query['key'] as string | undefined) ?? decodeHeader(context.req.header('millrace-key')),
    timestampMs: query['timestampMs'] as number | undefined,
    ttlMs: query['ttlMs'] as number | undefined,
    priority: query['priority'] as number | undefined,
    retry: retryPolicy(query),
    batch,
  })
}

/** Adds to `not_found` how the thing can be created. */
export function findOrExplain<T>(kind: Call['params'][string], name: string, find: () => T): T {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'not_found') throw error
    if (kind === 'exchange') throw error
    throw new MillraceError(
      'not_found',
      `There is no ${kind} "${name}", and publishing does not create it here (autoCreate: false). Create it with PUT /v1/${kind}s/${name}.`,
      { cause: error },
    )
  }
}

/** @throws MillraceError `bad_request` */
function retryPolicy(query: Call['query']): RetryPolicy | undefined {
  const maxAttempts = query['maxAttempts'] as number | undefined
  const text = query['backoff'] as string | undefined
  if (maxAttempts === undefined && text === undefined) return undefined
  const backoff = text === undefined ? undefined : parseBackoff(text)
  if (text !== undefined && backoff === undefined) {
    throw new MillraceError('bad_request', `\`backoff\` cannot be ${JSON.stringify(text)}: write ${BACKOFF_FORM}.`)
  }
  return { ...(maxAttempts === undefined ? {} : { maxAttempts }), ...(backoff === undefined ? {} : { backoff }) }
}

/** @throws MillraceError `bad_request`, `time_in_past` */
function dueTime(query: Call['query'], nowMs: number): number | undefined {
  const delayMs = query['delayMs'] as number | undefined
  const deliverAtMs = query['deliverAtMs'] as number | undefined
  if (delayMs !== undefined && deliverAtMs !== undefined) {
    throw new MillraceError('bad_request', 'A message has delayMs or deliverAtMs, not both.')
  }
  if (delayMs !== undefined && delayMs < 0) throw inPast('delayMs', delayMs)
  if (deliverAtMs !== undefined && isPastDue(deliverAtMs, nowMs)) throw inPast('deliverAtMs', deliverAtMs)
  return delayMs === undefined ? deliverAtMs : nowMs + delayMs
}

function inPast(name: string, value: number): MillraceError {
  return new MillraceError(
    'time_in_past',
    `\`${name}\` is ${value}: that time has passed. To publish the message now, leave it out.`,
  )
}

function decodeHeader(value: string | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value, 'latin1').toString('utf8')
}
