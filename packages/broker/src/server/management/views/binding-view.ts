import { createHash } from 'node:crypto'
import { splitScopedName } from '../../../base/scoped-names.ts'
import { clientBinding } from '../../../protocols/amqp/transfer/export-definitions.ts'
import type { ManagementServices } from '../services.ts'
import { allQueues } from './counted.ts'

export interface BindingView extends NonNullable<ReturnType<typeof clientBinding>> {
  /** What tells it from others between the same two, and can be a part of a path. */
  readonly properties_key: string
}

/** Those of exchanges, and that of each queue with the default exchange. */
export function allBindings(services: ManagementServices): readonly BindingView[] {
  const declared = services.session.broker.router.bindings().flatMap((binding) => {
    const view = clientBinding(binding)
    return view === undefined ? [] : [withKey(view)]
  })
  const implied = allQueues(services).map(({ info }) => {
    const { vhost, name } = splitScopedName(info.name)
    return withKey({
      source: '',
      vhost,
      destination: name,
      destination_type: 'queue',
      routing_key: name,
      arguments: {},
    })
  })
  return [...implied, ...declared]
}

/** As RabbitMQ makes it: the key, and a hash of the arguments where there are some. */
export function propertiesKey(routingKey: string, args: object): string {
  if (Object.keys(args).length === 0) return routingKey === '' ? '~' : quoted(routingKey)
  return `${quoted(routingKey)}~${createHash('md5').update(JSON.stringify(args)).digest('base64url')}`
}

function withKey(binding: NonNullable<ReturnType<typeof clientBinding>>): BindingView {
  return { ...binding, properties_key: propertiesKey(binding.routing_key, binding.arguments) }
}

function quoted(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
