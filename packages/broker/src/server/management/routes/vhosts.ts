import { splitScopedName } from '../../../base/scoped-names.ts'
import { limitsEntry } from '../../../protocols/amqp/transfer/export-definitions.ts'
import { limitsOf } from '../../../protocols/amqp/transfer/import-definitions.ts'
import type { VhostSettings } from '../../../protocols/amqp/vhosts/vhost-settings.ts'
import type { VirtualHost } from '../../../protocols/amqp/vhosts/virtual-hosts.ts'
import { flagField, numberField, textField } from '../body-fields.ts'
import { badRequest } from '../failures.ts'
import {
  get,
  type Json,
  type ManagementCall,
  type ManagementRoute,
  noContent,
  put,
  remove,
  written,
} from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { allQueues, sumOf } from '../views/counted.ts'

export const vhostRoutes: readonly ManagementRoute[] = [
  get('/api/vhosts', ({ access }, services) => {
    const isVisible = access.visible()
    return services.administration.vhosts
      .list()
      .filter(({ name }) => isVisible(name))
      .map((vhost) => vhostView(vhost, services))
  }),
  get('/api/vhosts/{vhost}', (call, services) =>
    vhostView(services.administration.vhosts.get(vhostOf(call, services)), services),
  ),
  put('/api/vhosts/{vhost}', async (call, { administration: { vhosts }, session: { broker } }) => {
    call.access.check('administer', 'broker')
    const name = call.param('vhost')
    const settings = settingsOf(await call.body())
    const isNew = !vhosts.has(name)
    await broker.whenCommitted(vhosts.put(name, settings))
    return written(isNew)
  }),
  remove('/api/vhosts/{vhost}', async ({ access, param }, { administration: { vhosts }, session: { broker } }) => {
    access.check('administer', 'broker')
    await broker.whenCommitted(vhosts.delete(param('vhost')))
    return noContent()
  }),
  get('/api/vhost-limits', ({ access }, services) => {
    const isVisible = access.visible()
    return services.administration.vhosts
      .list()
      .filter(({ name }) => isVisible(name))
      .flatMap(limitsView)
  }),
  get('/api/vhost-limits/{vhost}', (call, services) => limitsView(services.administration.vhosts.get(vhostOf(call, services)))),
  put('/api/vhost-limits/{vhost}/{name}', async (call, services) => {
    call.access.check('administer', 'broker')
    const value = numberField(await call.body(), 'value')
    if (value === undefined) throw badRequest('value is missing')
    return changeLimit(call, services, value)
  }),
  remove('/api/vhost-limits/{vhost}/{name}', (call, services) => {
    call.access.check('administer', 'broker')
    return changeLimit(call, services, undefined)
  }),
]

/** That of the path, once it is clear that the user may see it and that it is there. @throws MillraceError `forbidden`, `not_found` */
export function vhostOf({ access, param }: ManagementCall, { administration }: ManagementServices): string {
  const name = param('vhost')
  access.check('describe', `vhost:${name}`)
  return administration.vhosts.get(name).name
}

function vhostView(vhost: VirtualHost, services: ManagementServices): object {
  const { name, description = '', tags = [], defaultQueueType: type = 'classic', isTraced = false } = vhost
  const { administration, node, rates } = services
  const queues = allQueues(services).filter(({ info }) => splitScopedName(info.name).vhost === name)
  const octets = { recv_oct: 0, send_oct: 0 }
  for (const connection of administration.directory.connections()) {
    if (connection.vhost !== name) continue
    octets.recv_oct += connection.bytesIn
    octets.send_oct += connection.bytesOut
  }
  return {
    name,
    description,
    tags,
    default_queue_type: type,
    metadata: { description, tags, default_queue_type: type },
    tracing: isTraced,
    cluster_state: { [node]: 'running' },
    protected_from_deletion: name === '/',
    ...rates.withDetails(`vhost ${name}`, { ...sumOf(queues), ...octets }),
  }
}

/** @throws MillraceError `bad_request` */
function settingsOf(body: Json): VhostSettings {
  const { tags } = body
  const description = textField(body, 'description')
  const type = textField(body, 'default_queue_type')
  const list = typeof tags === 'string' ? tags.split(',').map((tag) => tag.trim()) : tags
  return {
    ...(description === undefined ? {} : { description }),
    ...(list === undefined ? {} : { tags: (list as readonly string[]).filter((tag) => tag !== '') }),
    ...(type === undefined || type === 'undefined' ? {} : { defaultQueueType: type as 'classic' }),
    ...(body['tracing'] === undefined ? {} : { isTraced: flagField(body, 'tracing', false) }),
  }
}

function limitsView(host: VirtualHost): readonly object[] {
  return limitsEntry(host).map(({ vhost, value }) => ({ vhost, value }))
}

async function changeLimit(call: ManagementCall, services: ManagementServices, value: number | undefined): Promise<Response> {
  const { vhosts, broker } = services.administration
  const vhost = vhosts.get(call.param('vhost'))
  const limit = call.param('name')
  if (limit !== 'max-connections' && limit !== 'max-queues') throw badRequest(`${limit} is no limit of virtual hosts`)
  const next = { ...(limitsEntry(vhost)[0]?.value as object | undefined), [limit]: value ?? -1 }
  await broker.whenCommitted(vhosts.setLimits(vhost.name, limitsOf(next)))
  return noContent()
}
