import { splitScopedName } from '../../../base/scoped-names.ts'
import { serverProperties } from '../../../protocols/amqp/server-properties.ts'
import { parseHostPort } from '../../config/host-port.ts'
import type { Access } from '../access.ts'
import { get, type ManagementRoute } from '../management-route.ts'
import { API_VERSION, type ManagementServices } from '../services.ts'
import { consumersOf } from '../views/connection-view.ts'
import { allQueues, sumOf } from '../views/counted.ts'
import { visibleConnections } from './connections.ts'

const exchangeTypes = ['direct', 'fanout', 'headers', 'topic', 'x-consistent-hash', 'x-delayed-message']

export const overviewRoutes: readonly ManagementRoute[] = [
  get('/api/overview', ({ access }, services) => overview(access, services)),
  get('/api/cluster-name', (_call, { session }) => ({ name: clusterName(session.identity.brokerVersion) })),
  get('/api/extensions', () => []),
  get('/api/whoami', ({ access, principal }) => ({ name: principal.user, tags: access.tags })),
  get('/api/auth', () => ({ oauth_enabled: false })),
]

function clusterName(version: string): unknown {
  return serverProperties(version)['cluster_name']
}

function overview(access: Access, services: ManagementServices): object {
  const { node, rates, session, administration } = services
  const { brokerVersion } = session.identity
  return {
    management_version: API_VERSION,
    rates_mode: 'basic',
    exchange_types: exchangeTypes.map((name) => ({ name, description: '', enabled: true })),
    product_version: brokerVersion,
    product_name: 'Millrace',
    rabbitmq_version: API_VERSION,
    cluster_name: clusterName(brokerVersion),
    disable_stats: false,
    enable_queue_totals: false,
    is_op_policy_updating_enabled: true,
    message_stats: messageStats(services),
    queue_totals: rates.withDetails('queues', { ...sumOf(visibleQueues(access, services)) }),
    object_totals: totals(access, services),
    node,
    listeners: listenersOf(services),
    contexts: contextsOf(services),
    default_queue_type: administration.vhosts.get('/').defaultQueueType ?? 'classic',
  }
}

function visibleQueues(access: Access, services: ManagementServices): ReturnType<typeof allQueues> {
  const isVisible = access.visible()
  return allQueues(services).filter(({ info }) => isVisible(splitScopedName(info.name).vhost))
}

function messageStats({ session, rates }: ManagementServices): object {
  const stats = session.broker.stats()
  return rates.withDetails('broker', {
    publish: stats.publishedMessages,
    deliver_get: stats.deliveredMessages,
    ack: stats.ackedMessages,
    redeliver: stats.redeliveredMessages,
  })
}

function totals(access: Access, services: ManagementServices): object {
  const connections = visibleConnections(access, services)
  const isVisible = access.visible()
  const { broker } = services.session
  const { vhosts } = services.administration
  const exchanges = broker.router.exchanges().filter(({ name }) => isVisible(splitScopedName(name).vhost))
  return {
    channels: connections.reduce((sum, connection) => sum + connection.channels().length, 0),
    connections: connections.length,
    consumers: consumersOf(connections).length,
    exchanges: exchanges.length + vhosts.list().filter(({ name }) => isVisible(name)).length,
    queues: visibleQueues(access, services).length,
  }
}

export interface ListenerView {
  readonly node: string
  readonly protocol: string
  readonly ip_address: string
  readonly port: number
}

/** The open doors, by what RabbitMQ calls their protocols. */
export function listenersOf({ listeners, config, node }: ManagementServices): readonly ListenerView[] {
  return listeners().map(({ door, address }) => {
    const { host, port } = parseHostPort(address) ?? { host: address, port: 0 }
    const entry = config.listen.find((each) => each.door === door)
    const tls = entry?.tls ?? (config.tls.cert === null ? false : config.tls)
    const protocol = door === 'management' ? 'http' : door === 'http' ? 'http/millrace' : door
    return { node, protocol: tls === false ? protocol : securedName(protocol), ip_address: host ?? '', port }
  })
}

function securedName(protocol: string): string {
  return protocol === 'http' ? 'https' : `${protocol}/ssl`
}

function contextsOf(services: ManagementServices): readonly object[] {
  return listenersOf(services)
    .filter(({ protocol }) => protocol === 'http' || protocol === 'https')
    .map(({ node, ip_address: ip, port }) => ({
      node,
      description: 'Management API',
      path: '/',
      ip,
      port: String(port),
      ssl_opts: [],
    }))
}
