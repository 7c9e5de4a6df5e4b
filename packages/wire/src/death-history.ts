/** All deaths of a message in one place for one reason. */
export interface DeathEntry {
  /** `queue:NAME` or `topic:NAME/SUBSCRIPTION`. */
  readonly source: string
  /** `max-attempts`, `rejected`, `lease-expired`, `expired` or `overflow`. */
  readonly reason: string
  readonly count: number
  /** Of the first of them, milliseconds since 1970. */
  readonly firstMs: number
  /** What it had been published to; '' for the default exchange. */
  readonly exchange: string
  /** What it had been published with. */
  readonly keys: readonly string[]
  /** Milliseconds that it had to live, in decimal, if it said so. */
  readonly expiration?: string
}

const decoder = new TextDecoder()

/** @param history value of the header `millrace-dead-history`. Anybody may write one: what is no history, or no entry of one, is left out. */
export function parseDeathHistory(history: Uint8Array): readonly DeathEntry[] {
  let entries: unknown
  try {
    entries = JSON.parse(decoder.decode(history))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return []
  }
  return Array.isArray(entries) ? entries.filter((entry) => isDeathEntry(entry)) : []
}

function isDeathEntry(entry: unknown): entry is DeathEntry {
  if (typeof entry !== 'object' || entry === null) return false
  const { source, reason, count, firstMs, exchange, keys, expiration } = entry as Record<string, unknown>
  const isText = [source, reason, exchange, ...(Array.isArray(keys) ? keys : [undefined])].every(
    (value) => typeof value === 'string',
  )
  return isText && isCount(count) && isCount(firstMs) && (expiration === undefined || typeof expiration === 'string')
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
