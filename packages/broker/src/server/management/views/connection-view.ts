import type { AmqpChannel, AmqpConnection, AmqpConsumer } from '../../../protocols/amqp/directory.ts'
import { parseHostPort } from '../../config/host-port.ts'
import type { ManagementServices } from '../services.ts'

export function connectionView(connection: AmqpConnection, { node, rates }: ManagementServices): object {
  const { name, peer, mechanism, clientProperties, vhost, bytesIn, bytesOut } = connection
  const named = clientProperties['connection_name']
  return {
    auth_mechanism: mechanism,
    channel_max: connection.channelsMax,
    channels: connection.channels().length,
    client_properties: clientProperties,
    connected_at: connection.connectedAtMs,
    frame_max: connection.frameBytesMax,
    host: peer.reached?.host ?? '',
    name,
    node,
    ...peerOf(connection),
    port: peer.reached?.port ?? 0,
    protocol: 'AMQP 0-9-1',
    ...rates.withDetails(`connection ${name}`, { recv_oct: bytesIn, send_oct: bytesOut }),
    ssl: peer.secure && peer.transport !== 'in-process',
    peer_cert_subject: peer.certificateName === undefined ? null : `CN=${peer.certificateName}`,
    state: connection.state,
    timeout: connection.heartbeatSeconds,
    type: peer.transport === 'in-process' ? 'direct' : 'network',
    user: connection.userName,
    ...(typeof named === 'string' ? { user_provided_name: named } : {}),
    user_who_performed_action: connection.userName,
    vhost,
  }
}

export function channelName(connection: AmqpConnection, { number }: AmqpChannel): string {
  return `${connection.name} (${number})`
}

export function channelView(connection: AmqpConnection, channel: AmqpChannel, { node, rates }: ManagementServices): object {
  const { published, confirmed, returned, delivered, redelivered, got, acked } = channel.counters
  const name = channelName(connection, channel)
  return {
    confirm: channel.isConfirming,
    connection_details: { name: connection.name, ...peerOf(connection) },
    consumer_count: channel.consumers().length,
    global_prefetch_count: channel.globalPrefetch,
    message_stats: rates.withDetails(`channel ${name}`, {
      publish: published,
      confirm: confirmed,
      return_unroutable: returned,
      deliver: delivered,
      get: got,
      deliver_get: delivered + got,
      redeliver: redelivered,
      ack: acked,
    }),
    messages_unacknowledged: channel.unacked,
    messages_unconfirmed: channel.unconfirmed,
    name,
    node,
    number: channel.number,
    prefetch_count: channel.prefetch,
    state: connection.state === 'blocked' ? 'flow' : connection.state,
    transactional: channel.isTransactional,
    user: connection.userName,
    user_who_performed_action: connection.userName,
    vhost: connection.vhost,
  }
}

export interface ConsumerPlace {
  readonly connection: AmqpConnection
  readonly channel: AmqpChannel
  readonly consumer: AmqpConsumer
}

export function consumersOf(connections: readonly AmqpConnection[]): readonly ConsumerPlace[] {
  return connections.flatMap((connection) =>
    connection.channels().flatMap((channel) => channel.consumers().map((consumer) => ({ connection, channel, consumer }))),
  )
}

const activities = { shared: 'up', single: 'single_active', waiting: 'waiting' } as const

export function consumerView({ connection, channel, consumer }: ConsumerPlace, { node }: ManagementServices): object {
  return {
    ack_required: consumer.needsAck,
    active: consumer.turn !== 'waiting',
    activity_status: activities[consumer.turn],
    arguments: consumer.arguments,
    channel_details: {
      connection_name: connection.name,
      name: channelName(connection, channel),
      node,
      number: channel.number,
      ...peerOf(connection),
      user: connection.userName,
    },
    consumer_tag: consumer.tag,
    exclusive: consumer.isExclusive,
    prefetch_count: consumer.prefetch,
    queue: { name: consumer.queue, vhost: connection.vhost },
  }
}

function peerOf({ peer }: AmqpConnection): { readonly peer_host: string; readonly peer_port: number } {
  const { host, port } = parseHostPort(peer.address) ?? { host: peer.address, port: 0 }
  return { peer_host: host ?? '', peer_port: port }
}
