import type { Broker, ExchangeType } from '../../core/broker.ts'
import { scopedName } from '../../base/scoped-names.ts'

/** What every virtual host has from the start, beside the default exchange. */
const prebuilt: readonly (readonly [string, ExchangeType, internal: boolean])[] = [
  ['amq.direct', 'direct', false],
  ['amq.fanout', 'fanout', false],
  ['amq.topic', 'topic', false],
  ['amq.headers', 'headers', false],
  ['amq.match', 'headers', false],
  ['amq.rabbitmq.trace', 'topic', true],
]

/** Idempotent. */
export function makePrebuiltExchanges(broker: Broker, vhost: string): void {
  for (const [name, type, internal] of prebuilt) broker.router.createExchange({ name: scopedName(vhost, name), type, internal })
}
