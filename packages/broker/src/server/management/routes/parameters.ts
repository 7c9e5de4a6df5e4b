import { MillraceError, orUndefined } from '../../../base/errors.ts'
import type { AmqpAdministration } from '../../../protocols/amqp/administration.ts'
import type { Parameter } from '../../../protocols/amqp/policies/parameters.ts'
import { VHOST_LIMITS } from '../../../protocols/amqp/transfer/definition-shapes.ts'
import { limitsEntry } from '../../../protocols/amqp/transfer/export-definitions.ts'
import { limitsOf } from '../../../protocols/amqp/transfer/import-definitions.ts'
import type { VhostLimits } from '../../../protocols/amqp/vhosts/vhost-settings.ts'
import { badRequest } from '../failures.ts'
import { get, type Json, type ManagementRoute, noContent, put, remove, written } from '../management-route.ts'
import { vhostOf } from './vhosts.ts'

const LIMITS = 'limits'

/** Values that others keep here: of virtual hosts, and global ones. */
export const parameterRoutes: readonly ManagementRoute[] = [
  get('/api/parameters', ({ access }, { administration }) => {
    const isVisible = access.visible()
    return allParameters(administration).filter(({ vhost }) => isVisible(vhost))
  }),
  get('/api/parameters/{component}', ({ access, param }, { administration }) => {
    const isVisible = access.visible()
    return allParameters(administration).filter(({ component, vhost }) => component === param('component') && isVisible(vhost))
  }),
  get('/api/parameters/{component}/{vhost}', (call, services) => {
    const where = vhostOf(call, services)
    const all = allParameters(services.administration)
    return all.filter(({ component, vhost }) => component === call.param('component') && vhost === where)
  }),
  get('/api/parameters/{component}/{vhost}/{name}', (call, services) => {
    const { administration } = services
    const vhost = vhostOf(call, services)
    if (call.param('component') !== VHOST_LIMITS) {
      return administration.parameters.get(vhost, call.param('component'), call.param('name'))
    }
    const [limits] = limitsEntry(administration.vhosts.get(vhost)).filter(({ name }) => name === call.param('name'))
    if (limits === undefined) throw new MillraceError('not_found', `There are no limits of the virtual host ${vhost}.`)
    return limits
  }),
  put('/api/parameters/{component}/{vhost}/{name}', async ({ access, param, body }, { administration }) => {
    const { parameters, vhosts, broker } = administration
    if (param('component') === VHOST_LIMITS) {
      access.check('administer', 'broker')
      const { name, limits = {} } = vhosts.get(param('vhost'))
      await broker.whenCommitted(vhosts.setLimits(name, limitsValue(param('name'), valueOf(await body()))))
      return written(Object.keys(limits).length === 0)
    }
    access.check('define', `vhost:${param('vhost')}`)
    const [vhost, component, name] = [vhosts.get(param('vhost')).name, param('component'), param('name')]
    const value = valueOf(await body())
    const isNew = orUndefined(() => parameters.get(vhost, component, name)) === undefined
    await broker.whenCommitted(parameters.put({ vhost, component, name, value }))
    return written(isNew)
  }),
  remove('/api/parameters/{component}/{vhost}/{name}', async ({ access, param }, { administration }) => {
    const { parameters, vhosts, broker } = administration
    if (param('component') === VHOST_LIMITS) {
      access.check('administer', 'broker')
      await broker.whenCommitted(vhosts.setLimits(param('vhost'), limitsValue(param('name'), {})))
      return noContent()
    }
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

/** With the limits of virtual hosts, which are kept with these. */
function allParameters({ parameters, vhosts }: AmqpAdministration): readonly Parameter[] {
  return [...vhosts.list().flatMap(limitsEntry), ...parameters.list()]
}

/** @throws MillraceError `bad_request` */
function limitsValue(name: string, value: unknown): VhostLimits {
  if (name !== LIMITS) throw badRequest(`limits of virtual hosts are the parameter ${LIMITS}, not ${JSON.stringify(name)}`)
  if (typeof value !== 'object' || value === null) throw badRequest('limits are an object')
  const unknown = Object.keys(value).find((limit) => limit !== 'max-connections' && limit !== 'max-queues')
  if (unknown !== undefined) throw badRequest(`${unknown} is no limit of virtual hosts`)
  return limitsOf(value)
}

/** @throws MillraceError `bad_request` */
function valueOf(body: Json): unknown {
  if (body['value'] === undefined) throw badRequest('[{error,"key value is missing"}]')
  return body['value']
}
