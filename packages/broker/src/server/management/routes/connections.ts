import type { AmqpConnection } from '../../../protocols/amqp/directory.ts'
import type { Access } from '../access.ts'
import { notFound } from '../failures.ts'
import { get, type ManagementCall, type ManagementRoute, noContent, remove } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { channelView, connectionView } from '../views/connection-view.ts'
import { vhostOf } from './vhosts.ts'

export const connectionRoutes: readonly ManagementRoute[] = [
  get('/api/connections', ({ access }, services) => viewsOf(visibleConnections(access, services), services)),
  get('/api/vhosts/{vhost}/connections', (call, services) => {
    const vhost = vhostOf(call, services)
    return viewsOf(
      visibleConnections(call.access, services).filter((each) => each.vhost === vhost),
      services,
    )
  }),
  get('/api/connections/username/{user}', ({ access, param }, services) =>
    viewsOf(
      visibleConnections(access, services).filter(({ userName }) => userName === param('user')),
      services,
    ),
  ),
  get('/api/connections/{name}', (call, services) => connectionView(connectionOf(call, services), services)),
  get('/api/connections/{name}/channels', (call, services) => {
    const connection = connectionOf(call, services)
    return connection.channels().map((channel) => channelView(connection, channel, services))
  }),
  remove('/api/connections/{name}', (call, services) => {
    const { name, user } = connectionOf(call, services)
    if (user !== call.principal.user) call.access.check('administer', 'broker')
    const reason = call.context.req.header('x-reason') ?? 'Closed via management plugin'
    services.administration.directory.close((each) => each.name === name, reason)
    return noContent()
  }),
]

/** All for those who may see the broker, and their own for others. */
export function visibleConnections(access: Access, { administration }: ManagementServices): readonly AmqpConnection[] {
  const all = administration.directory.connections()
  if (access.may('describe', 'broker')) return all
  return all.filter(({ user, vhost }) => user === access.principal.user && access.sees(vhost))
}

/** That of the path. @throws MillraceError `not_found` */
function connectionOf({ access, param }: ManagementCall, services: ManagementServices): AmqpConnection {
  const found = visibleConnections(access, services).find(({ name }) => name === param('name'))
  if (found === undefined) throw notFound(`connection ${JSON.stringify(param('name'))}`)
  return found
}

function viewsOf(connections: readonly AmqpConnection[], services: ManagementServices): readonly object[] {
  return connections.map((connection) => connectionView(connection, services))
}
