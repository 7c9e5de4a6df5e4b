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

/** Idempotent. Those that are there stay as they are: a policy may have said something of them. */
export function makePrebuiltExchanges(broker: Pick<Broker, 'router'>, vhost: string): void {
  const existing = new Set(broker.router.exchanges().map(({ name }) => name))
  for (const [name, type, internal] of prebuilt) {
    const core = scopedName(vhost, name)
    if (!existing.has(core)) broker.router.createExchange({ name: core, type, internal })
  }
}
