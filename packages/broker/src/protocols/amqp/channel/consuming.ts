import { topicAddress } from '@millrace/wire'
import type { MillraceError } from '../../../base/errors.ts'
import type { Consumer, DeliverySink } from '../../../core/broker.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { AmqpConsumer } from '../directory.ts'
import { writeMethod } from '../codec/method-codec.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { Arguments, tableJson } from '../definitions/arguments.ts'
import { randomName, REPLY_TO } from '../definitions/names.ts'
import { type FoundQueue, tellsCountOf } from '../definitions/found-queue.ts'
import type { Queues } from '../definitions/queues.ts'
import type { Feeder } from '../feeder.ts'
import { limits } from '../limits.ts'
import type { Answers } from './answers.ts'
import type { ChannelConsumer, ConsumerHost } from './channel-consumer.ts'
import { DeliveryWriter } from './delivery-writer.ts'
import { unlessInUse } from './exclusive-use.ts'
import type { Holder } from './holder.ts'
import { QueueConsumer } from './queue-consumer.ts'
import { ReplyConsumer } from './reply-consumer.ts'
import type { Settling } from './settling.ts'
import { StreamConsumer } from './stream-consumer.ts'
import { startPosition, streamFilter } from './stream-options.ts'
import type { Unacked } from './unacked.ts'

type ConsumeArguments = MethodArguments<'basic.consume'>

/** The consumers of one channel. Methods throw AmqpError and MillraceError. */
export class Consuming implements ConsumerHost {
  readonly feeder: Feeder
  readonly unacked: Unacked<Holder>
  isFlowing = true
  readonly #client: Client
  readonly #channel: number
  readonly #queues: Queues
  readonly #settling: Settling
  readonly #answers: Answers
  readonly #consumers = new Map<string, ChannelConsumer>()
  /** Cancelled, with deliveries that may still be settled. */
  readonly #retired = new Set<ChannelConsumer>()
  #reply: ReplyConsumer | undefined
  #wroteUnasked = new Set<ChannelConsumer>()
  #lastTag = 0
  /** Of consumers that begin now, and of all together; 0: no limit. */
  prefetch = 0
  sharedPrefetch = 0
  /** Messages since the channel was opened. */
  delivered = 0
  redelivered = 0
  #sharedUnacked = 0

  constructor(client: Client, channel: number, queues: Queues, settling: Settling, answers: Answers) {
    this.#client = client
    this.#channel = channel
    this.#queues = queues
    this.#settling = settling
    this.#answers = answers
    this.feeder = client.feeder
    this.unacked = settling.unacked
  }

  // ---- methods ----------------------------------------------------------------------------------------------------------

  qos({ prefetchSize, prefetchCount, global }: MethodArguments<'basic.qos'>): void {
    if (prefetchSize !== 0) throw new AmqpError('not-implemented', `prefetch_size!=0 (${prefetchSize})`)
    if (!global) this.prefetch = prefetchCount
    else {
      this.sharedPrefetch = prefetchCount
      this.#limitAll(undefined)
      this.#offerAll()
    }
  }

  /** @returns its tag; it gets nothing before `begin` */
  consume(queue: string, args: ConsumeArguments): string {
    const tag = args.consumerTag === '' ? randomName('amq.ctag-', this.#client.context.platform.random) : args.consumerTag
    if (this.#consumers.has(tag) || this.#reply?.tag === tag) {
      throw new AmqpError('not-allowed', `attempt to reuse consumer tag '${tag}'`)
    }
    if (queue === REPLY_TO) {
      this.#consumeReplies(tag, args.noAck)
      return tag
    }
    if (this.#consumers.size >= limits.consumersPerChannelMax) {
      throw new AmqpError('not-allowed', `a channel has at most ${limits.consumersPerChannelMax} consumers`)
    }
    const found = this.#queues.get(queue)
    const consumer =
      found.kind === 'topic' ? this.#openStream(tag, queue, found, args) : this.#openQueue(tag, queue, tellsCountOf(found), args)
    this.#consumers.set(tag, consumer)
    return tag
  }

  /** The client knows that it consumes. */
  begin(tag: string): void {
    const consumer = this.#consumers.get(tag)
    if (consumer !== undefined) this.feeder.add(consumer)
  }

  /** What is not there is cancelled already. */
  cancel(tag: string): void {
    if (this.#reply?.tag === tag) return this.#endReplies()
    const consumer = this.#consumers.get(tag)
    if (consumer !== undefined) this.#remove(consumer)
  }

  flow(isActive: boolean): void {
    this.isFlowing = isActive
    if (isActive) this.#offerAll()
    else for (const consumer of this.#consumers.values()) consumer.withhold()
  }

  get replyToken(): string | undefined {
    return this.#reply?.token
  }

  // ---- opening ----------------------------------------------------------------------------------------------------------

  #openQueue(tag: string, queue: string, tellsCount: boolean, consume: ConsumeArguments): QueueConsumer {
    const { noAck, exclusive, arguments: table } = consume
    const { access, broker, door, names } = this.#client
    access.check('consume', 'queue', queue)
    const args = new Arguments(table, names.told('queue', queue))
    const priority = args.count('x-priority', -2_147_483_647, 2_147_483_647)
    const counters = door.administration.queueCounters.of(names.core(queue))
    const settings = { tag, queue, noAck, exclusive, tellsCount, counters, prefetch: this.prefetch, arguments: args.json }
    const consumer = new QueueConsumer(this, settings)
    const options = { leaseMs: door.leaseMs, exclusive, ...(priority === undefined ? {} : { priority }) }
    const join = (): Consumer => broker.consume(`queue:${names.core(queue)}`, options, consumer)
    consumer.attach(unlessInUse(names.told('queue', queue), join))
    return consumer
  }

  #openStream(tag: string, queue: string, found: FoundQueue & { kind: 'topic' }, args: ConsumeArguments): StreamConsumer {
    const { access, broker, context, names } = this.#client
    access.check('read', 'topic', queue)
    if (args.noAck) throw new AmqpError('not-implemented', `consuming without acknowledgements from a stream`)
    if (this.prefetch === 0) {
      throw new AmqpError('precondition-failed', `consumer prefetch count is not set for stream ${names.told('queue', queue)}`)
    }
    const source = topicAddress(names.core(queue))
    const filter = streamFilter(args.arguments)
    const nowMs = context.platform.clock.nowMs()
    const open = (partition: number, sink: DeliverySink): ReturnType<typeof broker.read> => {
      const from = startPosition(args.arguments, found.info, partition, nowMs)
      return broker.read(source, { partition, from, ...(filter === undefined ? {} : { filter }) }, sink)
    }
    const settings = { tag, queue, prefetch: this.prefetch, arguments: tableJson(args.arguments) }
    return new StreamConsumer(
      this,
      settings,
      found.info.partitionInfo.map((_, partition) => partition),
      open,
    )
  }

  #consumeReplies(tag: string, noAck: boolean): void {
    if (!noAck) throw new AmqpError('precondition-failed', 'reply consumer cannot acknowledge')
    if (this.#reply !== undefined) throw new AmqpError('precondition-failed', 'reply consumer already set')
    const token = randomName('', this.#client.context.platform.random)
    this.#reply = new ReplyConsumer(this.#client, this.#channel, tag, token, () => this.nextDeliveryTag())
    this.#client.door.replyConsumers.set(token, this.#reply)
  }

  #endReplies(): void {
    if (this.#reply === undefined) return
    this.#client.door.replyConsumers.delete(this.#reply.token)
    this.#reply = undefined
  }

  // ---- ConsumerHost -----------------------------------------------------------------------------------------------------

  get nowSeconds(): number {
    return Math.floor(this.#client.context.platform.clock.monotonicMs() / 1000)
  }

  get outputBytes(): number {
    return this.#client.output.bytes
  }

  get sharedRoom(): number {
    return this.sharedPrefetch === 0 ? Infinity : this.sharedPrefetch - this.#sharedUnacked
  }

  counted(messages: number, isAgain: boolean): void {
    this.delivered += messages
    if (isAgain) this.redelivered += messages
  }

  sharedDelivered(messages: number, by: ChannelConsumer): void {
    this.#sharedUnacked += messages
    if (this.sharedPrefetch !== 0) this.#limitAll(by)
  }

  sharedSettled(messages: number): void {
    this.#sharedUnacked -= messages
    if (this.sharedPrefetch !== 0) this.#offerAll()
  }

  nextDeliveryTag(): number {
    return ++this.#lastTag
  }

  writerFor(queue: string, tellsCount: boolean): DeliveryWriter {
    return new DeliveryWriter(this.#client, this.#channel, queue, tellsCount)
  }

  wroteUnasked(consumer: ChannelConsumer): void {
    this.#wroteUnasked.add(consumer)
  }

  ended(consumer: ChannelConsumer, reason: MillraceError): void {
    this.feeder.remove(consumer)
    if (!this.#consumers.delete(consumer.tag)) return
    // While the broker shuts down the connection is told as a whole.
    if (reason.code !== 'draining') this.#tellCancelled(consumer.tag)
  }

  forget(consumer: ChannelConsumer): void {
    this.#retired.delete(consumer)
  }

  wake(): void {
    this.#client.wake()
  }

  /** For those who look at it. */
  views(): readonly AmqpConsumer[] {
    return [...this.#consumers.values()].map((consumer) => consumer.view())
  }

  // ---- turns ------------------------------------------------------------------------------------------------------------

  /** What was written is given to the connection. */
  wrote(): void {
    if (this.#wroteUnasked.size === 0) return
    const wrote = this.#wroteUnasked
    this.#wroteUnasked = new Set()
    for (const consumer of wrote) consumer.wrote()
  }

  /** Cancels consumers of what the client may not read any more. */
  reviewAccess(): void {
    for (const consumer of this.#consumers.values()) {
      try {
        this.#client.access.check(consumer.kind === 'queue' ? 'consume' : 'read', consumer.kind, consumer.queue)
      } catch (error) {
        if (!(error instanceof AmqpError)) throw error
        this.#remove(consumer)
        this.#tellCancelled(consumer.tag)
      }
    }
  }

  /** Gives back what is held. */
  close(): void {
    this.#endReplies()
    const consumers = [...this.#consumers.values(), ...this.#retired]
    this.#consumers.clear()
    this.#retired.clear()
    for (const consumer of consumers) consumer.close()
  }

  #remove(consumer: ChannelConsumer): void {
    this.#settling.flush()
    this.#consumers.delete(consumer.tag)
    consumer.retire()
    if (consumer instanceof QueueConsumer && consumer.holdsUnacked) this.#retired.add(consumer)
  }

  #tellCancelled(consumerTag: string): void {
    if (!this.#client.knowsCancel) return
    const write = (): void => writeMethod(this.#client.output, this.#channel, 'basic.cancel', { consumerTag, noWait: true })
    // After the answer to what caused it, such as the client's own `queue.delete`.
    if (this.#answers.length > 0) this.#answers.add(0, write)
    else write()
    this.wake()
  }

  #offerAll(): void {
    for (const consumer of this.#consumers.values()) this.feeder.offer(consumer)
  }

  #limitAll(but: ChannelConsumer | undefined): void {
    const room = Math.max(0, this.sharedRoom)
    for (const consumer of this.#consumers.values()) if (consumer !== but) consumer.limit(room)
  }
}
