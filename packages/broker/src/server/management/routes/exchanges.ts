import { MillraceError, orUndefined } from '../../../base/errors.ts'
import { scopedName, splitScopedName } from '../../../base/scoped-names.ts'
import { AmqpError } from '../../../protocols/amqp/amqp-error.ts'
import { checkNotReserved, isReserved } from '../../../protocols/amqp/definitions/names.ts'
import { flagField, requiredText, tableField } from '../body-fields.ts'
import { badRequest } from '../failures.ts'
import { get, type ManagementCall, type ManagementRoute, noContent, put, remove, written } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { defaultExchangeView, exchangeView } from '../views/exchange-view.ts'
import { vhostOf } from './vhosts.ts'

/** How the default exchange is called in paths. */
const DEFAULT = 'amq.default'

export const exchangeRoutes: readonly ManagementRoute[] = [
  get('/api/exchanges', ({ access }, services) => exchangesIn(access.visible(), services)),
  get('/api/exchanges/{vhost}', (call, services) => {
    const vhost = vhostOf(call, services)
    return exchangesIn((each) => each === vhost, services)
  }),
  get('/api/exchanges/{vhost}/{name}', (call, services) => {
    const vhost = vhostOf(call, services)
    const name = exchangeName(call)
    if (name === '') return defaultExchangeView(vhost)
    return exchangeView(services.session.broker.router.exchange(scopedName(vhost, name)), services)
  }),
  put('/api/exchanges/{vhost}/{name}', declare),
  remove('/api/exchanges/{vhost}/{name}', deleteExchange),
]

/** That of the path, as clients say it. */
export function exchangeName({ param }: ManagementCall): string {
  return param('name') === DEFAULT ? '' : param('name')
}

function exchangesIn(isVisible: (vhost: string) => boolean, services: ManagementServices): readonly object[] {
  const { administration, session } = services
  const vhosts = administration.vhosts.list().filter(({ name }) => isVisible(name))
  const exchanges = session.broker.router.exchanges().filter(({ name }) => isVisible(splitScopedName(name).vhost))
  return [...vhosts.map(({ name }) => defaultExchangeView(name)), ...exchanges.map((info) => exchangeView(info, services))]
}

async function declare(call: ManagementCall, services: ManagementServices): Promise<Response> {
  const { access } = call
  const { administration, session } = services
  const vhost = vhostOf(call, services)
  const name = exchangeName(call)
  const core = scopedName(vhost, name)
  access.check('create', `exchange:${core}`)
  const body = await call.body()
  const args = tableField(body, 'arguments')
  const isNew = orUndefined(() => session.broker.router.exchange(core)) === undefined
  if (name === '') throw new AmqpError('access-refused', 'operation not permitted on the default exchange')
  if (isNew) checkNotReserved('exchange', name)
  const alternate = args['alternate-exchange']
  if (typeof alternate === 'string') {
    access.check('read', `exchange:${core}`)
    access.check('publish', `exchange:${scopedName(vhost, alternate)}`)
  }
  const ticket = administration.declarations.exchange(vhost, name, {
    type: requiredText(body, 'type'),
    durable: flagField(body, 'durable', true),
    autoDelete: flagField(body, 'auto_delete', false),
    internal: flagField(body, 'internal', false),
    arguments: args,
  })
  await session.broker.whenCommitted(ticket)
  return written(isNew)
}

async function deleteExchange(call: ManagementCall, services: ManagementServices): Promise<Response> {
  const { broker } = services.session
  const vhost = vhostOf(call, services)
  const name = exchangeName(call)
  const core = scopedName(vhost, name)
  call.access.check('delete', `exchange:${core}`)
  if (name === '' || isReserved(name))
    throw new AmqpError('access-refused', `deletion of system exchange '${name}' in vhost '${vhost}' not allowed`)
  try {
    await broker.whenCommitted(broker.router.deleteExchange(core, { ifUnused: call.search.get('if-unused') === 'true' }))
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'in_use') throw error
    throw badRequest(`406 PRECONDITION_FAILED - exchange '${name}' in vhost '${vhost}' in use`)
  }
  return noContent()
}
