import { topicAddress } from '@millrace/wire'
import { unreachable } from '../../../base/assert.ts'
import { MillraceError } from '../../../base/errors.ts'
import { check, type ObjectSchema, type Typed, typed } from '../../../protocols/api/json-schema.ts'
import { messageList } from '../../../protocols/api/schemas.ts'
import type { Settlement } from '../leases.ts'
import { json, problemResponse } from '../problem.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'

const RECEIVE_MAX = 1000
const WAIT_MS_MAX = 60_000
const HANDLES_MAX = 10_000
const DAY_MS = 86_400_000

const receiveQuery: ObjectSchema = {
  type: 'object',
  properties: {
    max: { type: 'integer', minimum: 1, maximum: RECEIVE_MAX, description: 'Most messages in the answer. Default 1.' },
    waitMs: {
      type: 'integer',
      minimum: 0,
      maximum: WAIT_MS_MAX,
      description: 'How long to wait for the first message. Default 0.',
    },
    leaseMs: {
      type: 'integer',
      minimum: 1,
      maximum: DAY_MS,
      description: 'After so long without being settled a message goes to somebody else. Default: the setting of the queue.',
    },
    create: { type: 'boolean', description: 'Whether to create it when it does not exist. Default false.' },
  },
  additionalProperties: false,
}

export interface SettleBody {
  readonly handles: readonly string[]
  readonly outcome: 'ack' | 'nack' | 'defer' | 'reject' | 'extend'
  readonly delayMs?: number
  readonly error?: string
  readonly reason?: string
}

export const settleBody: Typed<SettleBody> = typed({
  type: 'object',
  properties: {
    handles: { type: 'array', items: { type: 'string', maxLength: 200 }, maxItems: HANDLES_MAX },
    outcome: {
      type: 'string',
      enum: ['ack', 'nack', 'defer', 'reject', 'extend'],
      description:
        '`ack`: done. `nack`: deliver again. `defer`: the same, and it was no attempt. `reject`: to the dead letters. `extend`: restart the lease.',
    },
    delayMs: { type: 'integer', minimum: 0, description: 'With nack and defer: not before so long.' },
    error: { type: 'string', maxLength: 2000, description: 'With nack: why.' },
    reason: { type: 'string', maxLength: 2000, description: 'With reject: why.' },
  },
  required: ['handles', 'outcome'],
  additionalProperties: false,
})

export interface SourceKind {
  readonly tag: 'queue' | 'subscription'
  readonly path: string
  readonly sourceOf: (params: Call['params']) => string
}

/** What is consumed from. */
export const sourceKinds: readonly SourceKind[] = [
  { tag: 'queue', path: '/v1/queues/{name}', sourceOf: ({ name }) => `queue:${name!}` },
  {
    tag: 'subscription',
    path: '/v1/topics/{topic}/subscriptions/{name}',
    sourceOf: ({ topic, name }) => topicAddress(topic!, name),
  },
]

/** Receive and settle: the same for queues and subscriptions. */
export function consumeRoutes(services: HttpServices): readonly Route[] {
  return sourceKinds.flatMap((kind) => [receiveRoute(services, kind), settleRoute(services, kind), ackRoute(services, kind)])
}

function receiveRoute({ session, leases }: HttpServices, { tag, path, sourceOf }: SourceKind): Route {
  return {
    method: 'post',
    path: `${path}/messages/receive`,
    id: `${tag}.receive`,
    tag,
    summary: 'Take messages; each must be settled by its handle before its lease ends',
    query: receiveQuery,
    answers: {
      200: {
        description: 'The messages; none when nothing came in time.',
        content: { 'application/json': messageList },
      },
    },
    errors: ['not_found', 'draining', 'overloaded'],
    async handle({ params, query, principal, signal }) {
      const source = sourceOf(params)
      session.authorize(principal, 'consume', source)
      const messages = await leases.receive(source, {
        user: principal.user,
        max: (query['max'] as number | undefined) ?? 1,
        waitMs: (query['waitMs'] as number | undefined) ?? 0,
        leaseMs: query['leaseMs'] as number | undefined,
        create: query['create'] === true,
        signal,
      })
      // The client left in the very moment that its messages came: nobody would settle them.
      if (signal.aborted && messages.length > 0)
        leases.settle(
          principal.user,
          source,
          messages.map(({ handle }) => handle!),
          { kind: 'nack', uncounted: true },
        )
      return json(200, { messages })
    },
  }
}

function settleRoute(services: HttpServices, { tag, path, sourceOf }: SourceKind): Route {
  return {
    method: 'post',
    path: `${path}/messages/settle`,
    id: `${tag}.settle`,
    tag,
    summary: 'Settle received messages; the answer comes when that is durable',
    description:
      'When some handles are stale, the others are settled all the same; the answer is then 409 and lists the stale ones.',
    body: { description: 'What became of the messages.', required: true, content: { 'application/json': settleBody } },
    answers: {
      200: {
        description: 'Settled.',
        content: { 'application/json': { type: 'object', properties: { settled: { type: 'integer' } }, required: ['settled'] } },
      },
    },
    errors: ['stale_delivery', 'outcome_unknown'],
    async handle(call) {
      const body = check(settleBody, await services.bodies.readJson(call.context.env.incoming), 'the body')
      return settle(services, call, sourceOf(call.params), body.handles, settlementOf(body))
    },
  }
}

function ackRoute(services: HttpServices, { tag, path, sourceOf }: SourceKind): Route {
  return {
    method: 'delete',
    path: `${path}/messages/{handle}`,
    id: `${tag}.ack`,
    tag,
    summary: 'Acknowledge one received message',
    answers: { 204: { description: 'Acknowledged, durably.' } },
    errors: ['stale_delivery', 'outcome_unknown'],
    async handle(call) {
      const answer = await settle(services, call, sourceOf(call.params), [call.params['handle']!], { kind: 'ack' })
      return answer.status === 200 ? new Response(null, { status: 204 }) : answer
    },
  }
}

async function settle(
  { session, leases }: HttpServices,
  { principal }: Call,
  source: string,
  handles: readonly string[],
  outcome: Settlement,
): Promise<Response> {
  session.authorize(principal, 'consume', source)
  const stale = leases.settle(principal.user, source, handles, outcome)
  // A lease is time, not state: extending it writes nothing.
  if (stale.length < handles.length && outcome.kind !== 'extend') await session.broker.whenCommitted(session.broker.ticket())
  const settled = handles.length - stale.length
  if (stale.length === 0) return json(200, { settled })
  const error = new MillraceError(
    'stale_delivery',
    `${stale.length} of ${handles.length} messages are not held any more: they were settled before, their lease ended, or the broker was restarted. Those that were not settled are delivered again.`,
  )
  return problemResponse(error, { settled, stale })
}

/** @throws MillraceError `bad_request` for options of another outcome */
export function settlementOf({ outcome, delayMs, error, reason }: SettleBody): Settlement {
  const misplaced =
    outcome !== 'nack' && error !== undefined
      ? 'error goes with nack'
      : outcome !== 'nack' && outcome !== 'defer' && delayMs !== undefined
        ? 'delayMs goes with nack and defer'
        : outcome !== 'reject' && reason !== undefined
          ? 'reason goes with reject'
          : undefined
  if (misplaced !== undefined) throw new MillraceError('bad_request', `In the body: ${misplaced}, not with ${outcome}.`)
  switch (outcome) {
    case 'ack':
    case 'extend':
      return { kind: outcome }
    case 'nack':
      return { kind: 'nack', ...(delayMs === undefined ? {} : { delayMs }), ...(error === undefined ? {} : { error }) }
    case 'defer':
      return { kind: 'nack', uncounted: true, ...(delayMs === undefined ? {} : { delayMs }) }
    case 'reject':
      return { kind: 'reject', ...(reason === undefined ? {} : { reason }) }
    default:
      return unreachable(outcome)
  }
}
