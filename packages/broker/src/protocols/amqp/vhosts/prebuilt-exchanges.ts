import type { ExchangeType, Router } from '../../../core/router/router.ts'
import { scopedName } from '../../../base/scoped-names.ts'

/** Exchanges that every virtual host has. The default one is no exchange of the core. */
const prebuilt: readonly (readonly [name: string, type: ExchangeType])[] = [
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
]
/** Gets copies of messages where they are traced; clients only bind to it. */
const TRACE = 'amq.rabbitmq.trace'

/** Idempotent. */
export function createPrebuiltExchanges(router: Router, vhost: string): void {
  const existing = new Set(router.exchanges().map(({ name }) => name))
  for (const [name, type] of prebuilt) {
    const core = scopedName(vhost, name)
    if (!existing.has(core)) router.createExchange({ name: core, type })
  }
  const trace = scopedName(vhost, TRACE)
  if (!existing.has(trace)) router.createExchange({ name: trace, type: 'topic', internal: true })
}
