import { MillraceError } from '../../../base/errors.ts'
import type { Outcome, Published, TransactionAction } from '../../../core/broker.ts'
import { check, type Typed, typed } from '../../../protocols/api/json-schema.ts'
import { destinationResource } from '../../../protocols/destination-resource.ts'
import { keyCheck } from '../../../protocols/key-check.ts'
import type { Principal } from '../../../protocols/session.ts'
import { json } from '../problem.ts'
import { type NewMessage, newMessageSchema, parseMessage } from '../publish-request.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { type SettleBody, settleBody, settlementOf } from './consume.ts'
import { admission, quotaWait, receiptSchema } from './messages.ts'

const PUBLISHES_MAX = 10_000

const destinations = {
  type: 'array',
  items: { type: 'string', minLength: 1, maxLength: 600 },
  description: '`queue:NAME`, `topic:NAME` and `exchange:NAME[/KEY]`. One named twice gets the message once.',
} as const
/** Of one of several destinations. */
export const placeSchema: object = {
  type: 'object',
  properties: { destination: { type: 'string' }, ...receiptSchema.properties },
  required: ['destination', 'partition', 'offset'],
}
const receiptsSchema = {
  type: 'array',
  description: 'Where the message went, for each of its destinations.',
  items: placeSchema,
}
const publishSchema = {
  ...newMessageSchema,
  properties: { to: destinations, ...(newMessageSchema as { readonly properties: object }).properties },
  required: ['to'],
}
const errors = [
  'illegal_name',
  'not_found',
  'stale_delivery',
  'unroutable',
  'record_too_large',
  'limit_reached',
  'overloaded',
  'disk_full',
  'draining',
  'outcome_unknown',
] as const

/** One message and where it goes. */
interface Publish {
  readonly to: readonly string[]
  readonly message: NewMessage
}

/** Publishes and settles that happen as one. */
export function transactionRoutes(services: HttpServices): readonly Route[] {
  return [transactionRoute(services), multicastRoute(services)]
}

function transactionRoute(services: HttpServices): Route {
  return {
    method: 'post',
    path: '/v1/transactions',
    id: 'transaction',
    tag: 'transaction',
    summary: 'Publish and settle, all or none; the answer comes when all of it is durable',
    description:
      'Handles may be of any queues and subscriptions. An answer that is an error means that nothing was done, unless it is outcome_unknown.',
    body: {
      description: 'What belongs together.',
      required: true,
      content: {
        'application/json': {
          type: 'object',
          properties: {
            publish: { type: 'array', items: publishSchema, maxItems: PUBLISHES_MAX },
            settle: { type: 'array', items: settleBody },
          },
          additionalProperties: false,
        },
      },
    },
    answers: {
      200: {
        description: 'Done.',
        content: {
          'application/json': {
            type: 'object',
            properties: { receipts: { type: 'array', items: receiptsSchema, description: 'In the order of `publish`.' } },
            required: ['receipts'],
          },
        },
      },
    },
    errors: [...errors],
    async handle({ context, principal }) {
      await admission(services)
      const { publish = [], settle = [] } = parts(await services.bodies.readJson(context.env.incoming))
      const publishes = publish.map((entry, n) => parsePublish(entry, `publish ${n + 1} of the transaction`))
      const settles = settle.map((entry, n) => check(settleBody, entry, `settle ${n + 1} of the transaction`))
      return json(200, { receipts: await transact(services, principal, publishes, settles) })
    },
  }
}

function multicastRoute(services: HttpServices): Route {
  return {
    method: 'post',
    path: '/v1/multicast',
    id: 'multicast',
    tag: 'transaction',
    summary: 'Publish one message to several queues and topics, to all or to none; it is stored once',
    body: { description: 'The message and where it goes.', required: true, content: { 'application/json': publishSchema } },
    answers: {
      201: {
        description: 'Durable.',
        content: {
          'application/json': { type: 'object', properties: { receipts: receiptsSchema }, required: ['receipts'] },
        },
      },
    },
    errors: errors.filter((code) => code !== 'stale_delivery'),
    async handle({ context, principal }) {
      await admission(services)
      const publish = parsePublish(await services.bodies.readJson(context.env.incoming), 'the body')
      const [receipts] = await transact(services, principal, [publish], [])
      return json(201, { receipts })
    },
  }
}

/** @returns for each publish where it went */
async function transact(
  services: HttpServices,
  principal: Principal,
  publishes: readonly Publish[],
  settles: readonly SettleBody[],
): Promise<readonly object[]> {
  const { session, leases, publisher } = services
  const { broker } = session
  for (const destination of publishes.flatMap(({ to }) => to))
    session.authorize(principal, 'publish', destinationResource(destination))
  const checkKey = keyCheck(session, principal)
  const batches = publishes.map(({ message }) => publisher.batchOf(message))
  const actions: TransactionAction[] = publishes.map(({ to }, n) => ({
    kind: 'multicast',
    to: to.map((destination) => broker.destination(destination, true, checkKey)),
    batch: batches[n]!,
  }))
  for (const settle of settles) {
    actions.push(
      ...leases.actions(principal.user, settle.handles, outcomeOf(settle), (source) =>
        session.authorize(principal, 'consume', source),
      ),
    )
  }
  const places = broker.transact(actions)
  const bytes = batches.reduce((sum, batch) => sum + batch.length, 0)
  await Promise.all([broker.whenCommitted(broker.ticket()), quotaWait(services, principal, bytes)])
  return publishes.map(({ to }, n) => receiptsOf(to, places[n]!))
}

/** @param places of one message, by destination */
export function receiptsOf(to: readonly string[], places: readonly Published[]): readonly object[] {
  return to.map((destination, n) => {
    const { partition, baseOffset, duplicates } = places[n]!
    // Each message is a batch of its own.
    const [original] = duplicates ?? []
    if (original === undefined) return { destination, partition, offset: baseOffset }
    return { destination, partition: original.partition, offset: original.offset, duplicate: true }
  })
}

/** @throws MillraceError `bad_request` */
function parts(body: unknown): { readonly publish?: readonly unknown[]; readonly settle?: readonly unknown[] } {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  const entries = isObject ? Object.entries(body) : []
  const isFine = entries.every(([name, value]) => (name === 'publish' || name === 'settle') && Array.isArray(value))
  if (!isObject || !isFine) {
    throw new MillraceError('bad_request', 'A transaction is a JSON object { "publish": [ ... ], "settle": [ ... ] }.')
  }
  const { publish } = body as { publish?: readonly unknown[] }
  if (publish === undefined || publish.length <= PUBLISHES_MAX) return body
  throw new MillraceError('bad_request', `A transaction publishes at most ${PUBLISHES_MAX} messages.`)
}

function parsePublish(entry: unknown, what: string): Publish {
  if (typeof entry !== 'object' || entry === null || !('to' in entry)) {
    throw new MillraceError('bad_request', `In ${what}: it must be an object such as { "to": ["queue:a"], "body": "hello" }.`)
  }
  const { to, ...message } = entry
  return { to: check(destinationList, to, `\`to\` of ${what}`), message: parseMessage(message, what) }
}

const destinationList: Typed<readonly string[]> = typed(destinations)

function outcomeOf(body: SettleBody): Outcome {
  const outcome = settlementOf(body)
  if (outcome.kind !== 'extend') return outcome
  throw new MillraceError('bad_request', 'A lease is not extended by a transaction: use the settle request of its source.')
}
