import {
  DEAD_HISTORY_HEADER,
  DELAY_HEADER,
  isMessageProperty,
  messageProperties,
  readDigits,
  type RecordHeader,
  readPriority,
  textSize,
} from '@millrace/wire'
import { splitScopedName } from '../../base/scoped-names.ts'
import { AmqpError } from './amqp-error.ts'
import { checkTable, encodeTable, FieldTable, type FieldValue, longValue } from './codec/field-table.ts'
import type { PropertyValues } from './codec/properties.ts'
import { withoutEntries } from './codec/table-view.ts'
import { deathHeaderNames, deathHeaders } from './death-headers.ts'
import { waitedMs, withWaitedMs } from './waited-header.ts'

const PERSISTENT = 2
const SHORT_STRING_BYTES_MAX = 255
const OCTET_MAX = 255
const NAME_BYTES_MAX = 255
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** What headers of a record are in AMQP. */
export interface OutgoingForm {
  /** Name of the exchange within its virtual host. */
  readonly exchange: Uint8Array
  readonly values: PropertyValues
  readonly expirationMs: number | undefined
  /** Where the digits of `expires-at` are in the bytes of the headers, and how many; -1 and 0 for none. */
  readonly expiryAt: number
  readonly expiryDigits: number
}

type Values = { -readonly [Name in keyof PropertyValues]: PropertyValues[Name] }

const texts: ReadonlyMap<string, keyof PropertyValues> = new Map<string, keyof PropertyValues>([
  [messageProperties.contentType, 'contentType'],
  [messageProperties.contentEncoding, 'contentEncoding'],
  [messageProperties.correlationId, 'correlationId'],
  [messageProperties.replyTo, 'replyTo'],
  [messageProperties.messageId, 'messageId'],
  [messageProperties.type, 'type'],
  [messageProperties.userId, 'userId'],
  [messageProperties.appId, 'appId'],
  [messageProperties.clusterId, 'clusterId'],
])

/**
 * @param headers views of `bytes`; of several with one name the last counts
 * @param timestampMs of the record
 */
export function outgoingForm(headers: readonly RecordHeader[], timestampMs: number, bytes: Uint8Array): OutgoingForm {
  const byName = new Map(headers.map(({ key, value }) => [key, value]))
  const values: Values = { deliveryMode: PERSISTENT }
  /** Of properties that cannot be one in AMQP, and of all else. */
  const entries = new Map<string, FieldValue>()
  let raw: Uint8Array | undefined
  for (const [name, value] of byName) {
    if (name === messageProperties.amqpHeaders && value !== null && isTable(value)) raw = value
    else if (!readProperty(values, name, value) && textSize(name) <= NAME_BYTES_MAX) entries.set(name, entryValue(value))
  }
  const delay = byName.get(DELAY_HEADER)
  const waited = waitedMs(delay)
  if (waited !== undefined) {
    entries.set(DELAY_HEADER, longValue(waited))
    if (raw !== undefined) raw = withWaitedMs(raw, delay!, waited)
  }
  const expiry = byName.get(messageProperties.expiresAt)
  const expiresMs = expiry === undefined || expiry === null ? Number.NaN : readDigits(expiry, 0, expiry.length)
  const expirationMs = Number.isNaN(expiresMs) ? undefined : expiresMs - timestampMs
  if (expirationMs !== undefined) values.expiration = String(Math.max(expirationMs, 0))
  const table = tableOf(raw, entries, byName.get(DEAD_HISTORY_HEADER) ?? undefined)
  if (table !== undefined) values.headers = table
  const exchange = byName.get(messageProperties.exchange) ?? undefined
  return {
    exchange: exchange === undefined ? new Uint8Array(0) : nameInVhost(exchange),
    values,
    expirationMs,
    expiryAt: expirationMs === undefined ? -1 : expiry!.byteOffset - bytes.byteOffset,
    expiryDigits: expirationMs === undefined ? 0 : expiry!.length,
  }
}

/** @returns whether the header is a property, or nothing that is shown */
function readProperty(values: Values, name: string, value: Uint8Array | null): boolean {
  if (!isMessageProperty(name)) return false
  const text = texts.get(name)
  // Without a value it says nothing.
  if (value === null) return true
  if (text !== undefined) {
    if (value.length > SHORT_STRING_BYTES_MAX) return false
    Object.assign(values, { [text]: value })
    return true
  }
  switch (name) {
    case messageProperties.priority:
      return setIfDefined(values, 'priority', readPriority(value))
    case messageProperties.deliveryMode:
      return readDeliveryMode(values, value)
    case messageProperties.timestamp:
      return readTimestamp(values, value)
    case messageProperties.expiresAt:
      return !Number.isNaN(readDigits(value, 0, value.length))
    case messageProperties.amqpHeaders:
      return false
    default:
      // The exchange, and what the broker wrote.
      return true
  }
}

function setIfDefined(values: Values, name: 'priority', value: number | undefined): boolean {
  if (value !== undefined) values[name] = value
  return value !== undefined
}

function readDeliveryMode(values: Values, value: Uint8Array): boolean {
  if (value.length === 0) {
    delete values.deliveryMode
    return true
  }
  const mode = readDigits(value, 0, value.length)
  if (!(mode <= OCTET_MAX)) return false
  values.deliveryMode = mode
  return true
}

function readTimestamp(values: Values, value: Uint8Array): boolean {
  const text = textOf(value)
  // Seconds that fit 64 bits.
  if (text === undefined || !/^\d{1,23}$/.test(text)) return false
  const seconds = BigInt(text) / 1000n
  if (seconds > 0xffff_ffff_ffff_ffffn) return false
  values.timestamp = seconds
  return true
}

// ---- headers --------------------------------------------------------------------------------------------------------

function tableOf(
  raw: Uint8Array | undefined,
  entries: ReadonlyMap<string, FieldValue>,
  history: Uint8Array | undefined,
): Uint8Array | undefined {
  const deaths = history === undefined ? undefined : deathHeaders(history)
  // The raw table says in full what other headers say a second time as text.
  const before = raw ?? (entries.size === 0 ? undefined : encodeTable(new FieldTable([...entries.keys()], [...entries.values()])))
  if (deaths === undefined) return before
  const added = encodeTable(deaths)
  if (before === undefined) return added
  const kept = withoutEntries(before, deathHeaderNames)
  const whole = new Uint8Array(kept.length + added.length)
  whole.set(kept)
  whole.set(added, kept.length)
  return whole
}

/** Text where it is UTF-8, bytes where it is not, nothing where it has no value. */
function entryValue(value: Uint8Array | null): FieldValue {
  return value === null ? null : (textOf(value) ?? value)
}

function textOf(value: Uint8Array): string | undefined {
  try {
    return decoder.decode(value)
  } catch {
    // Not UTF-8: it stays bytes.
    return undefined
  }
}

/** Anybody may write a header of that name; what is no table is not given to AMQP's clients as one. */
function isTable(value: Uint8Array): boolean {
  try {
    checkTable(value, 0, value.length)
    return true
  } catch (error) {
    if (error instanceof AmqpError) return false
    throw error
  }
}

/** Name of an exchange in its virtual host, at most as long as AMQP has them. */
export function nameInVhost(exchange: Uint8Array): Uint8Array {
  const text = textOf(exchange)
  return text === undefined
    ? exchange.subarray(0, NAME_BYTES_MAX)
    : encoder.encode(splitScopedName(text).name).subarray(0, NAME_BYTES_MAX)
}
