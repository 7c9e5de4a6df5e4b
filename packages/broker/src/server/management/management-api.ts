import { type ApiStyle, createHttpApi, type HttpApp } from '../http/api.ts'
import type { BrowserRules } from '../http/browser-rules.ts'
import type { LoginRule } from '../../protocols/session.ts'
import { failureOf } from './failures.ts'
import { type ManagementRoute, servedRoute } from './management-route.ts'
import type { ManagementOptions } from './open-management.ts'
import { bindingRoutes } from './routes/bindings.ts'
import { channelRoutes } from './routes/channels.ts'
import { connectionRoutes } from './routes/connections.ts'
import { definitionRoutes } from './routes/definitions.ts'
import { exchangeRoutes } from './routes/exchanges.ts'
import { healthRoutes } from './routes/health.ts'
import { messageRoutes } from './routes/messages.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { overviewRoutes } from './routes/overview.ts'
import { parameterRoutes } from './routes/parameters.ts'
import { permissionRoutes } from './routes/permissions.ts'
import { policyRoutes } from './routes/policies.ts'
import { queueRoutes } from './routes/queues.ts'
import { userRoutes } from './routes/users.ts'
import { vhostRoutes } from './routes/vhosts.ts'
import { managementServices } from './services.ts'

const style: ApiStyle = {
  home: { service: 'millrace', api: '/api/overview' },
  pathsHint: 'docs/amqp.md lists the paths of the management API.',
  problem: failureOf,
  readsQueryItself: true,
  takesAnyName: true,
}

/** All routes. A path with a fixed word comes before one with a name in its place. */
export const managementRoutes: readonly ManagementRoute[] = [
  ...overviewRoutes,
  ...nodeRoutes,
  ...vhostRoutes,
  ...messageRoutes,
  ...exchangeRoutes,
  ...queueRoutes,
  ...bindingRoutes,
  ...connectionRoutes,
  ...channelRoutes,
  ...userRoutes,
  ...permissionRoutes,
  ...policyRoutes,
  ...parameterRoutes,
  ...definitionRoutes,
  ...healthRoutes,
]

/** @param login of the listener that it is on */
export function managementApi(options: ManagementOptions, rules: BrowserRules, login?: LoginRule): HttpApp {
  const services = managementServices(options)
  const routes = managementRoutes.map((route) => servedRoute(route, services))
  return createHttpApi(routes, rules, options.session.security, options.log, login, style)
}
