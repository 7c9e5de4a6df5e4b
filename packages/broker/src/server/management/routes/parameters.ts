import { orUndefined } from '../../../protocols/amqp/definitions/queues.ts'
import { badRequest } from '../failures.ts'
import { get, type Json, type ManagementRoute, noContent, put, remove, written } from '../management-route.ts'
import { vhostOf } from './vhosts.ts'

/** Values that others keep here: of virtual hosts, and global ones. */
export const parameterRoutes: readonly ManagementRoute[] = [
  get('/api/parameters', ({ access }, { administration: { parameters } }) => {
    const isVisible = access.visible()
    return parameters.list().filter(({ vhost }) => isVisible(vhost))
  }),
  get('/api/parameters/{component}', ({ access, param }, { administration: { parameters } }) => {
    const isVisible = access.visible()
    return parameters.list({ component: param('component') }).filter(({ vhost }) => isVisible(vhost))
  }),
  get('/api/parameters/{component}/{vhost}', (call, services) =>
    services.administration.parameters.list({ component: call.param('component'), vhost: vhostOf(call, services) }),
  ),
  get('/api/parameters/{component}/{vhost}/{name}', (call, services) =>
    services.administration.parameters.get(vhostOf(call, services), call.param('component'), call.param('name')),
  ),
  put('/api/parameters/{component}/{vhost}/{name}', async ({ access, param, body }, { administration }) => {
    const { parameters, vhosts, broker } = administration
    access.check('define', `vhost:${param('vhost')}`)
    const [vhost, component, name] = [vhosts.get(param('vhost')).name, param('component'), param('name')]
    const value = valueOf(await body())
    const isNew = orUndefined(() => parameters.get(vhost, component, name)) === undefined
    await broker.whenCommitted(parameters.put({ vhost, component, name, value }))
    return written(isNew)
  }),
  remove('/api/parameters/{component}/{vhost}/{name}', async ({ access, param }, { administration: { parameters, broker } }) => {
    access.check('define', `vhost:${param('vhost')}`)
    await broker.whenCommitted(parameters.remove(param('vhost'), param('component'), param('name')))
    return noContent()
  }),
  get('/api/global-parameters', (_call, { administration: { parameters } }) => parameters.listGlobal()),
  get('/api/global-parameters/{name}', ({ param }, { administration: { parameters } }) => parameters.getGlobal(param('name'))),
  put('/api/global-parameters/{name}', async ({ access, param, body }, { administration: { parameters, broker } }) => {
    access.check('administer', 'broker')
    const name = param('name')
    const value = valueOf(await body())
    const isNew = orUndefined(() => parameters.getGlobal(name)) === undefined
    await broker.whenCommitted(parameters.putGlobal({ name, value }))
    return written(isNew)
  }),
  remove('/api/global-parameters/{name}', async ({ access, param }, { administration: { parameters, broker } }) => {
    access.check('administer', 'broker')
    await broker.whenCommitted(parameters.removeGlobal(param('name')))
    return noContent()
  }),
]

/** @throws MillraceError `bad_request` */
function valueOf(body: Json): unknown {
  if (body['value'] === undefined) throw badRequest('[{error,"key value is missing"}]')
  return body['value']
}
