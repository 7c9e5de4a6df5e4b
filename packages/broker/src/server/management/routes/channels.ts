import type { AmqpChannel, AmqpConnection } from '../../../protocols/amqp/directory.ts'
import type { Access } from '../access.ts'
import { notFound } from '../failures.ts'
import { get, type ManagementRoute } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { channelName, channelView, consumersOf, consumerView } from '../views/connection-view.ts'
import { visibleConnections } from './connections.ts'
import { vhostOf } from './vhosts.ts'

export const channelRoutes: readonly ManagementRoute[] = [
  get('/api/channels', ({ access }, services) =>
    channelsOf(access, services).map(({ connection, channel }) => channelView(connection, channel, services)),
  ),
  get('/api/vhosts/{vhost}/channels', (call, services) => {
    const vhost = vhostOf(call, services)
    return channelsOf(call.access, services)
      .filter(({ connection }) => connection.vhost === vhost)
      .map(({ connection, channel }) => channelView(connection, channel, services))
  }),
  get('/api/channels/{name}', ({ access, param }, services) => {
    const found = channelsOf(access, services).find(
      ({ connection, channel }) => channelName(connection, channel) === param('name'),
    )
    if (found === undefined) throw notFound(`channel ${JSON.stringify(param('name'))}`)
    const { connection, channel } = found
    return {
      ...channelView(connection, channel, services),
      consumer_details: channel.consumers().map((consumer) => consumerView({ connection, channel, consumer }, services)),
    }
  }),
  get('/api/consumers', ({ access }, services) => consumersIn(access.visible(), services)),
  get('/api/consumers/{vhost}', (call, services) => {
    const vhost = vhostOf(call, services)
    return consumersIn((each) => each === vhost, services)
  }),
]

function channelsOf(
  access: Access,
  services: ManagementServices,
): readonly { readonly connection: AmqpConnection; readonly channel: AmqpChannel }[] {
  return visibleConnections(access, services).flatMap((connection) =>
    connection.channels().map((channel) => ({ connection, channel })),
  )
}

function consumersIn(isVisible: (vhost: string) => boolean, services: ManagementServices): readonly object[] {
  return consumersOf(services.administration.directory.connections().filter(({ vhost }) => isVisible(vhost))).map((place) =>
    consumerView(place, services),
  )
}
