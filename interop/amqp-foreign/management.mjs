/** What the management API is asked for, after the same things were made in whatever broker it is. */
import { connect } from 'amqplib'

const declaredQueue = { durable: true, auto_delete: false, arguments: { 'x-max-length': 1000 } }
const policy = { pattern: '^orders', definition: { 'message-ttl': 3_600_000 }, priority: 1, 'apply-to': 'queues' }

/** @type {readonly (readonly [method: string, path: string, body: object])[]} */
const made = [
  // In RabbitMQ it is there; here it is the first.
  ['PUT', 'users/guest', { password: 'guest', tags: 'administrator' }],
  ['PUT', 'vhosts/prod', { description: 'in production', tags: 'a,b' }],
  ['PUT', 'users/ann', { password: 'secret', tags: 'management' }],
  ['PUT', 'permissions/prod/ann', { configure: '.*', write: '.*', read: '.*' }],
  ['PUT', 'permissions/prod/guest', { configure: '.*', write: '.*', read: '.*' }],
  ['PUT', 'topic-permissions/prod/ann', { exchange: 'amq.topic', write: '^a', read: '.*' }],
  ['PUT', 'vhost-limits/prod/max-queues', { value: 50 }],
  ['PUT', 'exchanges/prod/events', { type: 'topic', durable: true }],
  ['PUT', 'exchanges/prod/all', { type: 'fanout', durable: true, arguments: { 'alternate-exchange': 'events' } }],
  ['PUT', 'queues/prod/orders', declaredQueue],
  ['POST', 'bindings/prod/e/events/q/orders', { routing_key: 'eu.*', arguments: {} }],
  ['POST', 'bindings/prod/e/all/e/events', { routing_key: '', arguments: {} }],
  ['PUT', 'policies/prod/ttl', policy],
  ['PUT', 'operator-policies/prod/cap', { pattern: '.*', definition: { 'max-length': 500 }, 'apply-to': 'queues' }],
  ['PUT', 'global-parameters/note', { value: 'x' }],
  [
    'POST',
    'exchanges/prod/events/publish',
    { properties: { headers: { n: 1 } }, routing_key: 'eu.x', payload: 'hi', payload_encoding: 'string' },
  ],
]

/** Name of the recording to path. CONNECTION and CHANNEL stand for the names of those that are open, NODE for that of the broker. */
export const asked = {
  overview: 'overview',
  'cluster-name': 'cluster-name',
  nodes: 'nodes',
  node: 'nodes/NODE',
  extensions: 'extensions',
  whoami: 'whoami',
  vhosts: 'vhosts',
  vhost: 'vhosts/prod',
  'vhost-permissions': 'vhosts/prod/permissions',
  'vhost-connections': 'vhosts/prod/connections',
  'vhost-limits': 'vhost-limits',
  exchanges: 'exchanges',
  'exchanges-vhost': 'exchanges/prod',
  exchange: 'exchanges/prod/all',
  'exchange-default': 'exchanges/prod/amq.default',
  'bindings-source': 'exchanges/prod/events/bindings/source',
  'bindings-destination': 'exchanges/prod/events/bindings/destination',
  queues: 'queues',
  'queues-page': 'queues?page=1&page_size=1&name=ord&use_regex=false',
  queue: 'queues/prod/orders',
  'queue-bindings': 'queues/prod/orders/bindings',
  bindings: 'bindings',
  'bindings-between': 'bindings/prod/e/events/q/orders',
  binding: 'bindings/prod/e/events/q/orders/eu.%252A',
  'binding-exchange': 'bindings/prod/e/all/e/events',
  connections: 'connections',
  connection: 'connections/CONNECTION',
  'connection-channels': 'connections/CONNECTION/channels',
  channels: 'channels',
  channel: 'channels/CHANNEL',
  consumers: 'consumers',
  'consumers-vhost': 'consumers/prod',
  users: 'users',
  user: 'users/ann',
  'user-permissions': 'users/ann/permissions',
  'users-without-permissions': 'users/without-permissions',
  permissions: 'permissions',
  permission: 'permissions/prod/ann',
  'topic-permissions': 'topic-permissions',
  'topic-permission': 'topic-permissions/prod/ann',
  policies: 'policies',
  policy: 'policies/prod/ttl',
  'operator-policies': 'operator-policies',
  'operator-policy': 'operator-policies/prod/cap',
  parameters: 'parameters',
  'global-parameters': 'global-parameters',
  definitions: 'definitions',
  'definitions-vhost': 'definitions/prod',
  alarms: 'health/checks/alarms',
  'local-alarms': 'health/checks/local-alarms',
  'virtual-hosts': 'health/checks/virtual-hosts',
  'protocol-listener': 'health/checks/protocol-listener/amqp',
  'node-is-quorum-critical': 'health/checks/node-is-quorum-critical',
  'certificate-expiration': 'health/checks/certificate-expiration/1/days',
  'aliveness-test': 'aliveness-test/prod',
  missing: 'queues/prod/none',
}

const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`

async function call(base, method, path, body) {
  const response = await fetch(`${base}/api/${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

/**
 * Makes it all, keeps a connection with a channel and a consumer open, and asks. What is shown of them may come some seconds later.
 * @param base such as `http://127.0.0.1:15672`
 * @returns name to status and JSON
 */
export async function observeManagement(base, amqpPort) {
  for (const [method, path, body] of made) {
    const { status } = await call(base, method, path, body)
    if (status >= 300) throw new Error(`${method} ${path} was answered with ${status}`)
  }
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${amqpPort}/prod`)
  try {
    const channel = await connection.createConfirmChannel()
    await channel.prefetch(10)
    await channel.consume('orders', () => {}, { consumerTag: 'reader' })
    channel.publish('events', 'eu.y', Buffer.from('hello'))
    await channel.waitForConfirms()
    const names = await untilShown(base)
    const answers = {}
    for (const [name, path] of Object.entries(asked))
      answers[name] = await call(
        base,
        'GET',
        path.replace(/CONNECTION|CHANNEL|NODE/, (word) => encodeURIComponent(names[word])),
      )
    return answers
  } finally {
    await connection.close()
  }
}

async function untilShown(base) {
  for (;;) {
    const [channels, queue, nodes] = await Promise.all(
      ['channels', 'queues/prod/orders', 'nodes'].map(async (path) => (await call(base, 'GET', path)).body),
    )
    const shown = channels.find(({ message_stats: stats }) => stats?.publish > 0)
    if (shown !== undefined && queue.message_stats?.publish > 1 && queue.messages > 0)
      return { CONNECTION: shown.connection_details.name, CHANNEL: shown.name, NODE: nodes[0].name }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
