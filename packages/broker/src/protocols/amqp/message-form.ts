// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import {
  type EncodedHeaders,
  HeaderWriter,
  isMessageProperty,
  messageProperties,
  readDigits,
  readHeaders,
  Slab,
} from '@millrace/wire'
import type { HeaderValue } from '../../core/router/router.ts'
import { AmqpError } from './amqp-error.ts'
import { checkTable } from './codec/field-table.ts'
import { isSame } from './codec/hot-methods.ts'
import { Properties, PROPERTY } from './codec/properties.ts'
import { TableView } from './codec/table-view.ts'
import { headerValue } from './header-values.ts'
import { isPlainTable, withExpiry, writeIncoming } from './incoming-headers.ts'
import { BLIND_CARBON_COPY, CARBON_COPY } from './table-headers.ts'

const EXPIRATION_MS_MAX = 0xffff_ffff
const EXPIRATION_DIGITS_MAX = 10
const NO_KEYS: readonly string[] = []
const NO_MORE_KEYS: MoreKeys = { told: NO_KEYS, all: NO_KEYS }
const NO_TABLE = -1
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

interface MoreKeys {
  /** CC, which consumers see. */
  readonly told: readonly string[]
  /** BCC as well. */
  readonly all: readonly string[]
}

/** What forms are made with, one after the other. */
export class FormParts {
  readonly properties: Properties = new Properties()
  readonly slab: Slab = new Slab()
  readonly writer: HeaderWriter = new HeaderWriter(this.slab)
  readonly userId: KeptText = new KeptText()
  readonly replyTo: KeptText = new KeptText()
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
  /** Flags and properties as they came, and the entries of the table inside them. */
  readonly #bytes: Uint8Array
  readonly #at: number
  readonly #end: number
  readonly #tableAt: number
  readonly #tableEnd: number
  #encoded: EncodedHeaders
  /** For which `#encoded` is. Without an expiration it is for all. */
  #encodedAtMs = -1

  /** @param bytes borrowed @throws AmqpError as `MessagesIn.read` */
  constructor(bytes: Uint8Array, at: number, end: number, exchange: string, parts: FormParts) {
    const { properties, slab, writer } = parts
    properties.read(bytes, at, end)
    this.exchange = exchange
    this.userId = properties.has(PROPERTY.userId) ? parts.userId.of(properties, PROPERTY.userId) : undefined
    this.replyTo = properties.has(PROPERTY.replyTo) ? parts.replyTo.of(properties, PROPERTY.replyTo) : undefined
    this.expirationMs = properties.has(PROPERTY.expiration) ? readExpiration(properties) : undefined
    const hasTable = properties.has(PROPERTY.headers)
    const tableAt = properties.at(PROPERTY.headers)
    const tableEnd = properties.end(PROPERTY.headers)
    const isPlain = hasTable && isPlainTable(bytes, tableAt, tableEnd)
    const { told, all } = hasTable && !isPlain ? moreKeys(bytes, tableAt, tableEnd) : NO_MORE_KEYS
    this.moreKeys = all
    this.#at = slab.append(bytes, at, end - at)
    this.#bytes = slab.bytes
    this.#end = this.#at + end - at
    this.#tableAt = hasTable ? this.#at + tableAt - at : NO_TABLE
    this.#tableEnd = this.#at + tableEnd - at
    this.#encoded = writeIncoming(writer, properties, exchange, isPlain, told)
    slab.release()
  }

  /** Flags and properties, as they came. */
  get properties(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end)
  }

  isOf(bytes: Uint8Array, at: number, end: number, exchange: string): boolean {
    if (end - at !== this.#end - this.#at || exchange !== this.exchange) return false
    const own = this.#bytes
    const shift = at - this.#at
    // Backwards: what each message has for itself, an id or a time, is near the end.
    for (let n = this.#end - 1; n >= this.#at; n--) if (own[n] !== bytes[n + shift]) return false
    return true
  }

  /** Record headers of a message with this timestamp. They are good until this is called for another. */
  headersAt(timestampMs: number): EncodedHeaders {
    if (this.expirationMs === undefined || timestampMs === this.#encodedAtMs) return this.#encoded
    this.#encodedAtMs = timestampMs
    return (this.#encoded = withExpiry(this.#encoded, timestampMs + this.expirationMs))
  }

  /** The key of the record: none when it went by the default exchange, whose queues have the name of the key. */
  recordKey(routingKey: string): string | null {
    if (routingKey === '') return null
    // By CC it comes to queues of other names.
    return this.exchange === '' && this.moreKeys.length === 0 ? null : routingKey
  }

  /** As `RoutedMessage.header`. */
  header(name: string): HeaderValue | null | undefined {
    if (this.#tableAt !== NO_TABLE) {
      const view = new TableView(this.#bytes, this.#tableAt, this.#tableEnd)
      if (view.find(name)) return headerValue(view)
    }
    if (!isMessageProperty(name) || name === messageProperties.expiresAt) return undefined
    const { bytes, at, end } = this.#encoded
    const value = readHeaders(bytes, at, end).find(({ key }) => key === name)?.value ?? undefined
    return value === undefined ? undefined : decoder.decode(value)
  }
}

/** The text of a property; the one before is remembered, as it often is the same. */
class KeptText {
  #bytes: Uint8Array = new Uint8Array(0)
  #text = ''

  of(properties: Properties, property: number): string {
    const at = properties.at(property)
    const length = properties.end(property) - at
    if (length === this.#bytes.length && isSame(properties.bytes, at, this.#bytes, length)) return this.#text
    this.#bytes = properties.content(property).slice()
    return (this.#text = properties.text(property))
  }
}

function readExpiration(properties: Properties): number {
  const at = properties.at(PROPERTY.expiration)
  const end = properties.end(PROPERTY.expiration)
  const ms = end - at > EXPIRATION_DIGITS_MAX ? Number.NaN : readDigits(properties.bytes, at, end)
  if (!(ms <= EXPIRATION_MS_MAX)) {
    const text = properties.text(PROPERTY.expiration)
    throw new AmqpError('precondition-failed', `invalid expiration '${text}': ${wrongExpiration(text)}`)
  }
  return ms
}

/** What is wrong with it, as RabbitMQ says it. */
function wrongExpiration(text: string): string {
  const [, number, rest] = /^([+-]?\d+)(.*)$/s.exec(text) ?? []
  if (number === undefined) return 'no_integer'
  if (rest !== '') return `{leftover_string,${JSON.stringify(rest)}}`
  return `{${number.startsWith('-') ? 'value_negative' : 'value_too_big'},${BigInt(number)}}`
}

function moreKeys(bytes: Uint8Array, tableAt: number, tableEnd: number): MoreKeys {
  checkTable(bytes, tableAt, tableEnd)
  const view = new TableView(bytes, tableAt, tableEnd)
  const told = keysOf(view, CARBON_COPY)
  return { told, all: [...told, ...keysOf(view, BLIND_CARBON_COPY)] }
}

/** CC and BCC: arrays of texts. What is no text in them is passed over. */
function keysOf(view: TableView, name: string): readonly string[] {
  const value = view.get(name)
  if (value === undefined) return NO_KEYS
  if (!Array.isArray(value)) throw new AmqpError('precondition-failed', `header '${name}' is not an array of routing keys`)
  return value.filter((key): key is string => typeof key === 'string')
}
