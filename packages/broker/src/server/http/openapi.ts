import { type ErrorCode, errorCatalogue } from '../../base/errors.ts'
import { messageSchema } from '../../protocols/api/message-json.ts'
import { binding, exchangeInfo } from '../../protocols/api/exchange-schemas.ts'
import * as definitions from '../../protocols/api/definition-schemas.ts'
import * as schemas from '../../protocols/api/schemas.ts'
import { statusOf } from './problem.ts'
import type { Route } from './route.ts'

/** Version of the API, not of the broker: it changes when a client would have to. */
const API_VERSION = '1.0.0'

/** Schemas that get a name of their own in the document. */
const components: Readonly<Record<string, object>> = {
  Message: messageSchema,
  TopicInfo: definitions.topicInfo,
  ExchangeInfo: exchangeInfo,
  Binding: binding,
  QueueInfo: definitions.queueInfo,
  SubscriptionInfo: definitions.subscriptionInfo,
  BrokerStatus: schemas.brokerStatus,
  DeliveryPolicy: definitions.deliveryPolicy,
  Problem: schemas.problem,
}

/** OpenAPI 3.1 of a table of routes. */
export function openapiDocument(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operationOf(route)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace HTTP API',
      version: API_VERSION,
      summary: 'Topics, queues and subscriptions of a Millrace broker.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8455' }],
    tags: [
      { name: 'queue', description: 'Each message goes to one consumer.' },
      { name: 'topic', description: 'Partitioned logs that many read.' },
      { name: 'subscription', description: 'Delivery state of one group of consumers over a topic.' },
      { name: 'exchange', description: 'Gives messages to the queues and topics that are bound to it.' },
      { name: 'group', description: 'Consumers that share the partitions of topics, and how far they are.' },
      { name: 'redrive', description: 'Messages on their way back from the dead letters.' },
      { name: 'scheduled', description: 'Messages that wait for their time.' },
      { name: 'transaction', description: 'What happens as a whole or not at all.' },
      { name: 'quota', description: 'How many bytes per second users and clients publish and consume.' },
      { name: 'user', description: 'Who may do what.' },
      { name: 'operations', description: 'Health, metrics and status.' },
    ],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(components).map(([name, schema]) => [name, referenced(schema, schema)])),
    },
  }
}

function operationOf(route: Route): object {
  const parameters = [
    ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...Object.entries(route.query?.properties ?? {}).map(([name, { description, ...schema }]) => ({
      name,
      in: 'query',
      ...(description === undefined ? {} : { description }),
      schema: referenced(schema),
    })),
    ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
      name,
      in: 'header',
      description,
      schema: { type: 'string' },
    })),
  ]
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            description: route.body.description,
            required: route.body.required,
            content: contentOf(route.body.content),
          },
        }),
    responses: { ...answersOf(route), ...problemsOf(route) },
  }
}

function answersOf({ answers }: Route): Record<string, object> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, content }]) => [
      status,
      { description, ...(content === undefined ? {} : { content: contentOf(content) }) },
    ]),
  )
}

/** One entry per status, which names the codes behind it. */
function problemsOf(route: Route): Record<string, object> {
  const codes = new Set<ErrorCode>([
    ...(route.path.startsWith('/v1/') ? (['bad_request', 'unauthorized', 'forbidden'] as const) : []),
    ...route.errors,
  ])
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) byStatus.set(statusOf[code], [...(byStatus.get(statusOf[code]) ?? []), code])
  return Object.fromEntries(
    [...byStatus].map(([status, members]) => [
      String(status),
      {
        description: members.map((code) => `\`${code}\`: ${errorCatalogue[code].summary}`).join(' '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  )
}

function contentOf(content: Readonly<Record<string, object>>): Record<string, object> {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema: referenced(schema) }]))
}

/** Replaces schemas that have a name by a reference to it. @param except is written out */
function referenced(schema: unknown, except?: object): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map((entry) => referenced(entry))
  if (schema !== except) {
    for (const [name, component] of Object.entries(components)) {
      if (component === schema) return { $ref: `#/components/schemas/${name}` }
    }
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, referenced(value)]))
}
