import { type DeathEntry, parseDeathHistory } from '@millrace/wire'
import { splitScopedName } from '../../base/scoped-names.ts'
import { longValue, type PlainTable, timestampValue } from './codec/field-table.ts'

/** Why a message died, as RabbitMQ calls it. */
const reasons: Readonly<Record<string, string>> = {
  'max-attempts': 'delivery_limit',
  'lease-expired': 'delivery_limit',
  rejected: 'rejected',
  expired: 'expired',
  overflow: 'maxlen',
}

/** Headers that `deathHeaders` makes: what a message says itself by these names does not count. */
export const deathHeaderNames: ReadonlySet<string> = new Set([
  'x-death',
  ...['first', 'last'].flatMap((which) => ['queue', 'reason', 'exchange'].map((what) => `x-${which}-death-${what}`)),
])

/** What RabbitMQ tells of a dead letter. @param history the header `millrace-dead-history` @returns undefined when it is none */
export function deathHeaders(history: Uint8Array): PlainTable | undefined {
  const deaths = parseDeathHistory(history)
  const [last] = deaths
  if (last === undefined) return undefined
  const first = deaths.reduce((earliest, death) => (death.firstMs <= earliest.firstMs ? death : earliest))
  return { 'x-death': deaths.map((death) => deathTable(death)), ...deathOf('first', first), ...deathOf('last', last) }
}

function deathTable(death: DeathEntry): PlainTable {
  return {
    count: longValue(death.count),
    reason: reasonOf(death),
    queue: queueOf(death),
    time: timestampValue(Math.floor(death.firstMs / 1000)),
    exchange: splitScopedName(death.exchange).name,
    'routing-keys': keysOf(death),
    'original-expiration': death.expiration,
  }
}

function deathOf(which: 'first' | 'last', death: DeathEntry): PlainTable {
  return {
    [`x-${which}-death-queue`]: queueOf(death),
    [`x-${which}-death-reason`]: reasonOf(death),
    [`x-${which}-death-exchange`]: splitScopedName(death.exchange).name,
  }
}

function reasonOf({ reason }: DeathEntry): string {
  return reasons[reason] ?? reason
}

/** The default exchange knows a queue by its name in the core; clients know it by that of their virtual host. */
function keysOf({ source, exchange, keys }: DeathEntry): readonly string[] {
  if (exchange !== '') return keys
  const name = source.slice(source.indexOf(':') + 1)
  return keys.map((key) => (key === name ? splitScopedName(name).name : key))
}

/** A source is `queue:NAME`; of a subscription of a topic the whole of `NAME/SUBSCRIPTION` stands for the queue. */
function queueOf({ source }: DeathEntry): string {
  return splitScopedName(source.slice(source.indexOf(':') + 1)).name
}
