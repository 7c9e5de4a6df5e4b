import { exportDefinitions, exportVhost } from '../../../protocols/amqp/transfer/export-definitions.ts'
import { importDefinitions } from '../../../protocols/amqp/transfer/import-definitions.ts'
import { get, type ManagementCall, type ManagementRoute, noContent, post } from '../management-route.ts'
import { API_VERSION, type ManagementServices } from '../services.ts'

/** All that is declared, as one document: of the broker for those who administer it, of a virtual host for those who define what is in it. */
export const definitionRoutes: readonly ManagementRoute[] = [
  get('/api/definitions', ({ access }, { administration, session }) => {
    access.check('administer', 'broker')
    const versions = { rabbit_version: API_VERSION, rabbitmq_version: API_VERSION, product_name: 'Millrace' }
    return { ...versions, product_version: session.identity.brokerVersion, ...exportDefinitions(administration) }
  }),
  post('/api/definitions', (call, services) => {
    call.access.check('administer', 'broker')
    return imported(call, services)
  }),
  get('/api/definitions/{vhost}', ({ access, param }, { administration }) => {
    access.check('define', `vhost:${param('vhost')}`)
    return { rabbit_version: API_VERSION, ...exportVhost(administration, param('vhost')) }
  }),
  post('/api/definitions/{vhost}', (call, services) => {
    // It makes exchanges and queues of any name.
    call.access.check('administer', 'broker')
    return imported(call, services, services.administration.vhosts.get(call.param('vhost')).name)
  }),
]

async function imported({ body }: ManagementCall, { administration }: ManagementServices, vhost?: string): Promise<Response> {
  await administration.broker.whenCommitted(importDefinitions(administration, await body(), vhost))
  return noContent()
}
