// hot path (packages/broker/test/amqp/throughput.mjs)
import { RecordBatchBuilder } from '@millrace/wire'
import { MillraceError, orUndefined } from '../../../base/errors.ts'
import type { ExchangeSource, RefusedByDestination, Route } from '../../../core/broker.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import { PublishMethod } from '../codec/hot-methods.ts'
import { REPLY_TO, REPLY_TO_PREFIX } from '../definitions/names.ts'
import { limits } from '../limits.ts'
import type { MessageForm } from '../message-form.ts'
import { RoutedForm } from '../message-in.ts'
import { Confirms } from './confirms.ts'
import { IncomingContent } from './incoming-content.ts'
import { ReplyForms } from './reply-forms.ts'
import { type Returned, writeReturned } from './returned.ts'

/** Takes batches that are not to be published yet, and messages that nothing takes, to be returned then. */
export interface BatchTaker {
  readonly hasPublishes: boolean
  takeBatch(route: Route, batch: Uint8Array): void
  takeReturned(message: Returned): void
}

/** The publishes of one channel: those that go the same way are gathered over a call of `receive`, and stored as one batch. */
export class Publishing {
  readonly content: IncomingContent
  readonly confirms: Confirms = new Confirms()
  isConfirming = false
  /** While a transaction is open. */
  taker: BatchTaker | undefined
  /** Where replies go that are addressed to this channel. */
  replyToken: () => string | undefined = () => undefined
  /** Since it was looked at. */
  publishedBytes = 0
  /** Messages since the channel was opened. */
  published = 0
  returned = 0
  readonly #client: Client
  readonly #channel: number
  readonly #method = new PublishMethod()
  #form: MessageForm | undefined
  #routed: RoutedForm | undefined
  readonly #replyForms: ReplyForms
  #builder = new RecordBatchBuilder()
  #source: ExchangeSource | undefined
  /** Of `#source`. */
  #exchange = ''
  #isTopic = false
  #accessVersion = -1
  /** Where messages of this route go; undefined until that is asked. */
  #route: Route | undefined
  /** What was gathered, and goes there. */
  #gathered: Route | undefined
  #gatheredKey: string | null = null
  /** Publishes that came in and wait for room, in order. */
  #waiting: (() => void)[] = []

  constructor(client: Client, channel: number) {
    this.#client = client
    this.#channel = channel
    this.content = new IncomingContent(Math.min(client.door.settings.messageBytesMax, client.broker.limits.batchBytesMax))
    this.#replyForms = new ReplyForms(client.messagesIn)
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  /** `basic.publish`. @throws AmqpError */
  method(bytes: Uint8Array, at: number, end: number): void {
    const method = this.#method
    const isSame = method.read(bytes, at, end)
    if (method.immediate) throw new AmqpError('not-implemented', 'immediate=true')
    this.content.begin()
    if (isSame && this.#source !== undefined && this.#accessVersion === this.#client.access.version) return
    this.flush()
    this.#resolve()
  }

  /** @throws AmqpError */
  header(bytes: Uint8Array, at: number, end: number): void {
    const propertiesAt = this.content.header(bytes, at, end)
    this.#form = this.#client.messagesIn.read(bytes, propertiesAt, end, this.#source!.name)
    this.publishedBytes += end - at
    if (this.content.endsAtHeader()) this.#complete()
  }

  /** @throws AmqpError */
  body(bytes: Uint8Array, at: number, end: number): void {
    this.publishedBytes += end - at
    if (this.content.body(bytes, at, end)) this.#complete()
  }

  /** Whether something waits for room, so that nothing may overtake it. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Whether the commit of an open transaction publishes something. */
  get publishesAtCommit(): boolean {
    return this.taker !== undefined && (this.taker.hasPublishes || this.#gathered !== undefined)
  }

  /** With the connection goes what waits for room. */
  forgetWaiting(): void {
    this.#waiting = []
  }

  /** Publishes what waited for room, and what was gathered. @throws AmqpError */
  endInput(): void {
    const waiting = this.#waiting
    if (waiting.length > 0) {
      this.#waiting = []
      for (const publish of waiting) publish()
    }
    this.flush()
  }

  /** Publishes what was gathered. @throws AmqpError */
  flush(): void {
    const route = this.#gathered
    if (route === undefined) return
    this.#gathered = undefined
    const { records } = this.#builder
    const batch = this.#builder.finish()
    // The memory of a large message does not stay with the channel.
    if (this.#builder.capacityBytes > 2 * limits.gatheredBytesMax) this.#builder = new RecordBatchBuilder()
    if (this.taker !== undefined) this.taker.takeBatch(route, batch)
    else this.#publish(route, batch, records)
  }

  // ---- one message --------------------------------------------------------------------------------------------------------

  #resolve(): void {
    const { access, broker, names } = this.#client
    const { exchange } = this.#method
    this.#route = undefined
    if (this.#source !== undefined && exchange === this.#exchange && this.#accessVersion === access.version) return
    this.#source = undefined
    // By the default exchange it depends on where a message goes.
    if (exchange !== '') access.check('publish', 'exchange', exchange)
    const core = exchange === '' ? '' : names.core(exchange)
    const source = orUndefined(() => broker.router.source(core))
    if (source === undefined) throw this.#noExchange()
    if (source.internal) {
      throw new AmqpError('access-refused', `cannot publish to internal ${names.told('exchange', exchange)}`)
    }
    this.#isTopic = exchange !== '' && broker.router.exchange(core).type === 'topic'
    this.#source = source
    this.#exchange = exchange
    this.#accessVersion = access.version
  }

  #noExchange(): AmqpError {
    return new AmqpError('not-found', `no ${this.#client.names.told('exchange', this.#method.exchange)}`)
  }

  #complete(): void {
    let form = this.#form!
    this.published++
    const { exchange, routingKey, mandatory } = this.#method
    if (form.userId !== undefined && form.userId !== this.#client.userName) {
      throw new AmqpError(
        'precondition-failed',
        `user_id property set to '${form.userId}' but authenticated user was '${this.#client.userName}'`,
      )
    }
    if (form.replyTo === REPLY_TO) form = this.#form = this.#withReplyAddress(form)
    if (exchange === '' && routingKey.startsWith(REPLY_TO_PREFIX)) return this.#reply(form, routingKey, mandatory)
    const route = this.#routeOf(form)
    if (mandatory && route.destinations.length === 0) this.#return(form)
    const key = form.recordKey(routingKey)
    if (route !== this.#gathered || key !== this.#gatheredKey || this.#builder.bytes > limits.gatheredBytesMax) this.flush()
    this.#gathered = route
    this.#gatheredKey = key
    const { bytes, at, length } = this.content
    const nowMs = this.#client.context.platform.clock.nowMs()
    this.#builder.appendEncoded(nowMs, key, bytes, at, length, form.headersAt(nowMs))
  }

  #routeOf(form: MessageForm): Route {
    const source = this.#source!
    const isByKey = !source.byHeaders && form.moreKeys.length === 0
    if (isByKey && this.#route?.isCurrent === true) return this.#route
    const { exchange, routingKey } = this.#method
    const { access, names } = this.#client
    const isDefault = exchange === ''
    const routed = (this.#routed ??= new RoutedForm(form))
    routed.form = form
    routed.key = isDefault ? names.core(routingKey) : routingKey
    routed.moreKeys = isDefault ? form.moreKeys.map((key) => names.core(key)) : form.moreKeys
    if (this.#isTopic) for (const key of [routingKey, ...form.moreKeys]) access.checkTopic(source.name, key, 'write')
    const route = orUndefined(() => source.route(routed))
    if (route === undefined) {
      this.#source = undefined
      throw this.#noExchange()
    }
    if (isDefault) this.#checkDestinations(route, routingKey)
    // What else than the key counted does not for the next.
    this.#route = isByKey ? route : undefined
    return route
  }

  /** @throws AmqpError 403 */
  #checkDestinations({ destinations }: Route, routingKey: string): void {
    const { access, names } = this.#client
    if (destinations.length === 0) access.check('publish', 'queue', routingKey)
    for (const { kind, name } of destinations) access.check('publish', kind, names.own(name))
  }

  #publish(route: Route, batch: Uint8Array, records: number): void {
    if (this.#waiting.length > 0) return this.#wait(route, batch, records)
    const { broker } = this.#client
    let refused: readonly RefusedByDestination[] | undefined
    try {
      refused = route.publish(batch)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (error.code === 'disk_full' || error.code === 'overloaded') return this.#wait(route, batch, records)
      if (!this.isConfirming || error.code === 'record_too_large') throw error
      return this.confirms.refused(records)
    }
    if (isStored(route, refused)) this.#client.publishedTicket = broker.ticket()
    if (!this.isConfirming) return
    // Nothing was stored, so there is no commit to wait for.
    if (route.destinations.length === 0) return this.confirms.settled(records)
    const taken = refused === undefined ? records : Math.min(records, ...refused.map(({ position }) => position))
    if (taken > 0) this.confirms.published(this.#client.publishedTicket, taken)
    if (taken < records) this.confirms.refused(records - taken)
  }

  #wait(route: Route, batch: Uint8Array, records: number): void {
    const copy = batch.slice()
    this.#waiting.push(() => this.#publish(route, copy, records))
    this.#client.awaitRoom()
  }

  /** Before its confirm, or that of the transaction. */
  #return({ properties }: MessageForm): void {
    const { exchange, routingKey } = this.#method
    const { bytes, at, length } = this.content
    // The body is in the buffer of the connection, and large ones are passed on as they are.
    const message = { exchange, routingKey, properties, body: bytes.slice(at, at + length) }
    if (this.taker !== undefined) return this.taker.takeReturned({ ...message, properties: properties.slice() })
    this.writeReturned(message)
  }

  writeReturned(message: Returned): void {
    this.returned++
    writeReturned(this.#client, this.#channel, message)
    this.#client.wake()
  }

  // ---- direct replies -----------------------------------------------------------------------------------------------------

  #withReplyAddress(form: MessageForm): MessageForm {
    const token = this.replyToken()
    if (token === undefined) throw new AmqpError('precondition-failed', 'fast reply consumer does not exist')
    return this.#replyForms.of(form, REPLY_TO_PREFIX + token)
  }

  #reply(form: MessageForm, routingKey: string, mandatory: boolean): void {
    this.flush()
    const { bytes, at, length } = this.content
    const { properties } = form
    const consumer = this.#client.door.replyConsumers.get(routingKey.slice(REPLY_TO_PREFIX.length))
    const body = bytes.subarray(at, at + length)
    const isTaken = consumer?.deliver({ exchange: '', routingKey, properties, body }) === true
    if (!isTaken && mandatory) this.#return(form)
    if (this.isConfirming && this.isWaiting) this.#waiting.push(() => this.confirms.settled(1))
    else if (this.isConfirming) this.confirms.settled(1)
    this.#client.wake()
  }
}

/** Whether any destination took any of it: otherwise no commit may come. */
function isStored({ destinations }: Route, refused: readonly RefusedByDestination[] | undefined): boolean {
  if (refused === undefined) return destinations.length > 0
  return refused.length < destinations.length || refused.some(({ position }) => position > 0)
}
