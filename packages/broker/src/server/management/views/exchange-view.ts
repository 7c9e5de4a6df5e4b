import { splitScopedName } from '../../../base/scoped-names.ts'
import type { ExchangeInfo } from '../../../core/broker.ts'
import { exchangeTypeName } from '../../../protocols/amqp/definitions/exchange-arguments.ts'
import { declaredArguments } from '../../../protocols/amqp/definitions/labels.ts'
import type { ManagementServices } from '../services.ts'
import { policiesOf } from './queue-view.ts'

export function exchangeView(info: ExchangeInfo, { administration, rates }: ManagementServices): object {
  const { vhost, name } = splitScopedName(info.name)
  return {
    arguments: declaredArguments(info),
    auto_delete: info.autoDelete,
    durable: info.durable,
    internal: info.internal,
    message_stats: rates.withDetails(`exchange ${info.name}`, { publish_in: info.counters.in, publish_out: info.counters.out }),
    name,
    ...policiesOf(administration, vhost, 'exchange', name),
    type: exchangeTypeName(info),
    vhost,
  }
}

/** Is there in each virtual host, and in no list of the core. */
export function defaultExchangeView(vhost: string): object {
  return {
    arguments: {},
    auto_delete: false,
    durable: true,
    internal: false,
    name: '',
    type: 'direct',
    vhost,
  }
}
