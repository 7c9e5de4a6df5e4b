import { scopedName } from '../../../base/scoped-names.ts'
import type { BindingDeclaration } from '../../../protocols/amqp/declarations.ts'
import { AmqpError } from '../../../protocols/amqp/amqp-error.ts'
import { tableField, textField } from '../body-fields.ts'
import { notFound } from '../failures.ts'
import { get, type ManagementCall, type ManagementRoute, noContent, post, remove } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { allBindings, type BindingView, propertiesKey } from '../views/binding-view.ts'
import { exchangeName } from './exchanges.ts'
import { queueOf } from './queues.ts'
import { vhostOf } from './vhosts.ts'

type DestinationType = BindingDeclaration['destinationType']

export const bindingRoutes: readonly ManagementRoute[] = [
  get('/api/bindings', ({ access }, services) => {
    const isVisible = access.visible()
    return allBindings(services).filter(({ vhost }) => isVisible(vhost))
  }),
  get('/api/bindings/{vhost}', (call, services) => {
    const vhost = vhostOf(call, services)
    return allBindings(services).filter((binding) => binding.vhost === vhost)
  }),
  ...between('/api/bindings/{vhost}/e/{source}/q/{destination}', 'queue'),
  ...between('/api/bindings/{vhost}/e/{source}/e/{destination}', 'exchange'),
  get('/api/queues/{vhost}/{name}/bindings', (call, services) => {
    queueOf(call, services)
    return touching(call, services, 'destination', 'queue')
  }),
  get('/api/exchanges/{vhost}/{name}/bindings/source', (call, services) => {
    checkExchange(call, services)
    return touching(call, services, 'source')
  }),
  get('/api/exchanges/{vhost}/{name}/bindings/destination', (call, services) => {
    checkExchange(call, services)
    return touching(call, services, 'destination', 'exchange')
  }),
]

/** Bindings from one exchange to one destination. */
function between(path: string, type: DestinationType): readonly ManagementRoute[] {
  return [
    get(path, (call, services) => pairOf(call, services, type)),
    post(path, async (call, services) => {
      const vhost = vhostOf(call, services)
      checkMayBind(call, vhost, type)
      const body = await call.body()
      const binding = {
        ...endsOf(call, type),
        routingKey: textField(body, 'routing_key') ?? '',
        arguments: tableField(body, 'arguments'),
      }
      checkKey(call, services, vhost, binding)
      await services.session.broker.whenCommitted(services.administration.declarations.bind(vhost, binding))
      const key = propertiesKey(binding.routingKey, binding.arguments)
      return new Response(null, { status: 201, headers: { location: encodeURIComponent(key) } })
    }),
    get(`${path}/{properties}`, (call, services) => bindingOf(call, services, type)),
    remove(`${path}/{properties}`, async (call, services) => {
      const vhost = vhostOf(call, services)
      checkMayBind(call, vhost, type)
      const { routing_key: routingKey, arguments: args } = bindingOf(call, services, type)
      const binding = { ...endsOf(call, type), routingKey, arguments: args }
      checkKey(call, services, vhost, binding)
      await services.session.broker.whenCommitted(services.administration.declarations.unbind(vhost, binding))
      return noContent()
    }),
  ]
}

function pairOf(call: ManagementCall, services: ManagementServices, type: DestinationType): readonly BindingView[] {
  const vhost = vhostOf(call, services)
  const { source, destination } = endsOf(call, type)
  return allBindings(services).filter(
    (each) =>
      each.vhost === vhost && each.source === source && each.destination_type === type && each.destination === destination,
  )
}

/** @throws MillraceError `not_found` */
function bindingOf(call: ManagementCall, services: ManagementServices, type: DestinationType): BindingView {
  const key = call.param('properties')
  const found = pairOf(call, services, type).find((binding) => binding.properties_key === key)
  if (found === undefined) throw notFound(`binding ${JSON.stringify(key)}`)
  return found
}

function endsOf({ param }: ManagementCall, destinationType: DestinationType) {
  const source = param('source')
  return { source: source === 'amq.default' ? '' : source, destination: param('destination'), destinationType }
}

/** @throws AmqpError 403, MillraceError `forbidden` */
function checkMayBind(call: ManagementCall, vhost: string, type: DestinationType): void {
  const { source, destination } = endsOf(call, type)
  if (source === '' || (type === 'exchange' && destination === ''))
    throw new AmqpError('access-refused', 'operation not permitted on the default exchange')
  call.access.check('publish', `${type}:${scopedName(vhost, destination)}`)
  call.access.check('read', `exchange:${scopedName(vhost, source)}`)
}

/** @throws MillraceError `forbidden`, `not_found` */
function checkKey(call: ManagementCall, services: ManagementServices, vhost: string, binding: BindingDeclaration): void {
  const { name, type } = services.session.broker.router.exchange(scopedName(vhost, binding.source))
  if (type === 'topic') call.access.checkKey(name, binding.routingKey, 'read')
}

/** @throws MillraceError `not_found` */
function checkExchange(call: ManagementCall, services: ManagementServices): void {
  const vhost = vhostOf(call, services)
  const name = exchangeName(call)
  if (name !== '') services.session.broker.router.exchange(scopedName(vhost, name))
}

function touching(
  call: ManagementCall,
  services: ManagementServices,
  end: 'source' | 'destination',
  type?: DestinationType,
): readonly BindingView[] {
  const vhost = call.param('vhost')
  const name = type === 'queue' ? call.param('name') : exchangeName(call)
  return allBindings(services).filter(
    (each) => each.vhost === vhost && each[end] === name && (type === undefined || each.destination_type === type),
  )
}
