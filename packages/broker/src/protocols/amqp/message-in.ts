// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { encodeHeaders, type EncodedHeaders, type HeaderToWrite, isMessageProperty, messageProperties } from '@millrace/wire'
import type { HeaderValue, RoutedMessage } from '../../core/router/router.ts'
import { AmqpError } from './amqp-error.ts'
import { checkTable } from './codec/field-table.ts'
import { BASIC_PUBLISH, isSame } from './codec/hot-methods.ts'
import { Properties, PROPERTY, type PropertyName } from './codec/properties.ts'
import { TableView, withoutEntries } from './codec/table-view.ts'
import { headerText, headerValue } from './header-values.ts'
import { limits } from './limits.ts'

const KEPT = 4
const PERSISTENT = 2
const EXPIRATION_MS_MAX = 0xffff_ffff
const NO_KEYS: readonly string[] = []
const NOTHING: Uint8Array = new Uint8Array(0)
const LONG_STRING = 'S'.charCodeAt(0)
const BLIND_KEYS = 'BCC'
const blindKeys: ReadonlySet<string> = new Set([BLIND_KEYS])
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Properties that are text in both forms. */
const texts: readonly (readonly [PropertyName, string])[] = [
  ['contentType', messageProperties.contentType],
  ['contentEncoding', messageProperties.contentEncoding],
  ['correlationId', messageProperties.correlationId],
  ['replyTo', messageProperties.replyTo],
  ['messageId', messageProperties.messageId],
  ['type', messageProperties.type],
  ['userId', messageProperties.userId],
  ['appId', messageProperties.appId],
  ['clusterId', messageProperties.clusterId],
]

/** What the properties of published messages become: record headers. Publishers send the same ones again and again, and these are made once. */
export class MessagesIn {
  readonly #properties = new Properties()
  readonly #kept: MessageForm[] = []
  #oldest = 0
  #last: MessageForm | undefined

  /**
   * @param at of the property flags in a content header, `end` one past its last byte
   * @param exchange its name in the core, '' for the default one
   * @throws AmqpError `syntax-error`; `precondition-failed` for an expiration, CC or BCC that is none
   */
  read(bytes: Uint8Array, at: number, end: number, exchange: string): MessageForm {
    const last = this.#last
    if (last !== undefined && last.isOf(bytes, at, end, exchange)) return last
    for (let n = 0; n < this.#kept.length; n++) {
      const form = this.#kept[n]!
      if (form.isOf(bytes, at, end, exchange)) return (this.#last = form)
    }
    return this.#make(bytes.slice(at, end), exchange)
  }

  #make(bytes: Uint8Array, exchange: string): MessageForm {
    try {
      this.#properties.read(bytes, 0, bytes.length)
      const form = new MessageForm(bytes, exchange, this.#properties)
      if (bytes.length > limits.keptPropertiesBytesMax) return form
      this.#kept[this.#oldest] = this.#last = form
      this.#oldest = (this.#oldest + 1) % KEPT
      return form
    } catch (error) {
      if (error instanceof AmqpError) {
        error.classId = BASIC_PUBLISH >>> 16
        error.methodId = BASIC_PUBLISH & 0xffff
      }
      throw error
    }
  }
}

/** What all messages with the same properties and exchange have in common. */
export class MessageForm {
  readonly exchange: string
  /** Milliseconds that it has to live, if it says so. */
  readonly expirationMs: number | undefined
  readonly userId: string | undefined
  readonly replyTo: string | undefined
  /** By which it is routed as well: CC and BCC. */
  readonly moreKeys: readonly string[]
  readonly #bytes: Uint8Array
  /** Entries of the headers' table. */
  readonly #table: Uint8Array | undefined
  readonly #headers: HeaderToWrite[] = []
  #encoded: EncodedHeaders
  /** For which `#encoded` is. Without an expiration it is for all. */
  #encodedAtMs = 0

  /** @param bytes kept */
  constructor(bytes: Uint8Array, exchange: string, properties: Properties) {
    this.#bytes = bytes
    this.exchange = exchange
    this.userId = properties.has(PROPERTY.userId) ? properties.text(PROPERTY.userId) : undefined
    this.replyTo = properties.has(PROPERTY.replyTo) ? properties.text(PROPERTY.replyTo) : undefined
    this.expirationMs = properties.has(PROPERTY.expiration) ? readExpiration(properties.text(PROPERTY.expiration)) : undefined
    this.#table = properties.has(PROPERTY.headers) ? properties.content(PROPERTY.headers) : undefined
    if (this.#table !== undefined) checkTable(this.#table, 0, this.#table.length)
    this.moreKeys = this.#table === undefined ? NO_KEYS : [...keysOf(this.#table, 'CC'), ...keysOf(this.#table, BLIND_KEYS)]
    if (this.expirationMs !== undefined) this.#headers.push({ key: messageProperties.expiresAt, value: '0' })
    if (exchange !== '') this.#headers.push({ key: messageProperties.exchange, value: exchange })
    this.#headers.push(...propertyHeaders(properties))
    if (this.#table !== undefined) this.#headers.push(...tableHeaders(this.#table))
    this.#encoded = encodeHeaders(this.#headers)
  }

  /** Flags and properties, as they came. */
  get properties(): Uint8Array {
    return this.#bytes
  }

  isOf(bytes: Uint8Array, at: number, end: number, exchange: string): boolean {
    const length = end - at
    return this.#bytes.length === length && this.exchange === exchange && isSame(bytes, at, this.#bytes, length)
  }

  /** Record headers of a message with this timestamp. */
  headersAt(timestampMs: number): EncodedHeaders {
    if (this.expirationMs === undefined || timestampMs === this.#encodedAtMs) return this.#encoded
    this.#headers[0] = { key: messageProperties.expiresAt, value: String(timestampMs + this.expirationMs) }
    this.#encodedAtMs = timestampMs
    return (this.#encoded = encodeHeaders(this.#headers))
  }

  /** The key of the record: none when it went by the default exchange, whose queues have the name of the key. */
  recordKey(routingKey: string): string | null {
    if (routingKey === '') return null
    // By CC it comes to queues of other names.
    return this.exchange === '' && this.moreKeys.length === 0 ? null : routingKey
  }

  /** As `RoutedMessage.header`. */
  header(name: string): HeaderValue | undefined {
    const view = this.#table === undefined ? undefined : new TableView(this.#table)
    if (view?.find(name) === true) return headerValue(view)
    if (!isMessageProperty(name) || name === messageProperties.expiresAt) return undefined
    const text = this.#headers.find(({ key }) => key === name)?.value
    return text === undefined || text === null ? undefined : typeof text === 'string' ? text : decoder.decode(text)
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A message as exchanges see it. One may be used for all messages of a connection. */
export class RoutedForm implements RoutedMessage {
  key = ''
  moreKeys: readonly string[] = NO_KEYS
  form: MessageForm

  constructor(form: MessageForm) {
    this.form = form
  }

  header(name: string): HeaderValue | undefined {
    return this.form.header(name)
  }
}

// ---- properties -----------------------------------------------------------------------------------------------------

function propertyHeaders(properties: Properties): HeaderToWrite[] {
  const headers: HeaderToWrite[] = []
  for (const [name, key] of texts) {
    const property = PROPERTY[name]
    if (properties.has(property)) headers.push({ key, value: properties.content(property) })
  }
  const mode = properties.has(PROPERTY.deliveryMode) ? properties.octet(PROPERTY.deliveryMode) : undefined
  if (mode !== PERSISTENT)
    headers.push({ key: messageProperties.deliveryMode, value: mode === undefined ? NOTHING : String(mode) })
  if (properties.has(PROPERTY.priority))
    headers.push({ key: messageProperties.priority, value: String(properties.octet(PROPERTY.priority)) })
  if (properties.has(PROPERTY.timestamp))
    headers.push({ key: messageProperties.timestamp, value: String(properties.timestamp() * 1000n) })
  return headers
}

function readExpiration(text: string): number {
  const ms = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(ms <= EXPIRATION_MS_MAX)) {
    throw new AmqpError(
      'precondition-failed',
      `invalid expiration '${text}': not a number of milliseconds up to ${EXPIRATION_MS_MAX}`,
    )
  }
  return ms
}

// ---- headers --------------------------------------------------------------------------------------------------------

/** Record headers of the entries, if that is all there is to know of them; otherwise their text where they have one, and the table itself. */
function tableHeaders(whole: Uint8Array): HeaderToWrite[] {
  const table = withoutEntries(whole, blindKeys)
  const headers: HeaderToWrite[] = []
  const names = new Set<string>()
  const view = new TableView(table)
  let isPlain = table.length > 0
  while (view.next()) {
    const { name } = view
    const isUsable = !names.has(name) && !isMessageProperty(name) && isUtf8(table.subarray(view.entryAt + 1, view.typeAt))
    isPlain &&= isUsable && table[view.typeAt] === LONG_STRING && isUtf8(view.content)
    names.add(name)
    const value = isUsable ? headerText(view) : undefined
    if (value !== undefined) headers.push({ key: name, value })
  }
  return isPlain ? headers : [{ key: messageProperties.amqpHeaders, value: table }, ...headers]
}

/** CC and BCC: arrays of texts. What is no text in them is passed over. */
function keysOf(table: Uint8Array, name: string): readonly string[] {
  const value = new TableView(table).get(name)
  if (value === undefined) return NO_KEYS
  if (!Array.isArray(value)) throw new AmqpError('precondition-failed', `header '${name}' is not an array of routing keys`)
  return value.filter((key): key is string => typeof key === 'string')
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes)
    return true
  } catch {
    // That is the answer.
    return false
  }
}
