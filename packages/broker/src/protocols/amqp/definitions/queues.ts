import { destinationAddress } from '@millrace/wire'
import { orUndefined } from '../../../base/errors.ts'
import type { Labels, Purge, QueueInfo, TopicInfo } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { Arguments, type ArgumentsJson } from './arguments.ts'
import { checkSame, checkSameArguments, type Declared } from './equivalence.ts'
import { checkNotReserved, randomName, REPLY_TO, REPLY_TO_PREFIX } from './names.ts'
import { checkProperties, KNOWN_ARGUMENTS, queueSettings, queueType, type QueueType, streamSettings } from './queue-arguments.ts'

/** A queue as the core has it: one of its queues, or a topic, which clients see as a stream. */
export type FoundQueue =
  { readonly kind: 'queue'; readonly info: QueueInfo } | { readonly kind: 'topic'; readonly info: TopicInfo }

export interface DeclaredQueue extends Declared {
  readonly type: QueueType
  readonly exclusive: boolean
}

export interface QueueCounts {
  readonly ticket: Ticket
  readonly name: string
  readonly messages: number
  readonly consumers: number
}

type DeclareArguments = MethodArguments<'queue.declare'>

/** Queues of one virtual host, as a client declares, looks at and deletes them. Methods throw AmqpError and MillraceError. */
export class Queues {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  // ---- looking ----------------------------------------------------------------------------------------------------------

  find(name: string): FoundQueue | undefined {
    const { broker, names } = this.#client
    const core = names.core(name)
    const info = orUndefined(() => broker.queue(core))
    if (info !== undefined) return { kind: 'queue', info }
    const topic = orUndefined(() => broker.topic(core))
    return topic === undefined ? undefined : { kind: 'topic', info: topic }
  }

  /** One that this client may use. @throws AmqpError 404, 405 */
  get(name: string): FoundQueue {
    const found = this.find(name)
    if (found === undefined) throw new AmqpError('not-found', `no ${this.#told(name)}`)
    this.checkOwner(name)
    return found
  }

  /** @throws AmqpError 405 for a queue of another connection */
  checkOwner(name: string): void {
    const { door, names } = this.#client
    const owner = door.owners.get(names.core(name))
    if (owner !== undefined && owner !== this.#client) throw this.#locked(name)
  }

  address(name: string, { kind }: FoundQueue): string {
    return destinationAddress(kind, this.#client.names.core(name))
  }

  // ---- declaring ----------------------------------------------------------------------------------------------------------

  declare(name: string, args: DeclareArguments): QueueCounts {
    if (name === REPLY_TO || name.startsWith(REPLY_TO_PREFIX)) return this.#declareReplyQueue(name)
    const found = name === '' ? undefined : this.find(name)
    if (found !== undefined) {
      this.checkOwner(name)
      if (!args.passive) this.#checkSame(name, found, args)
      // As in RabbitMQ, whoever asks for the counts uses the queue.
      if (found.kind === 'queue' && !args.noWait) this.#client.broker.useQueue(found.info.name)
      return this.#counts(name, found, this.#client.broker.visibleTicket)
    }
    if (args.passive) throw new AmqpError('not-found', `no ${this.#told(name)}`)
    return this.#create(name, args)
  }

  #declareReplyQueue(name: string): QueueCounts {
    const isThere = name === REPLY_TO || this.#client.door.replyConsumers.has(name.slice(REPLY_TO_PREFIX.length))
    if (!isThere) throw new AmqpError('not-found', `no ${this.#told(name)}`)
    return { ticket: 0, name, messages: 0, consumers: 1 }
  }

  #create(asked: string, declared: DeclareArguments): QueueCounts {
    const { access, broker, context, door, names } = this.#client
    checkNotReserved('queue', asked)
    const name = asked === '' ? randomName('amq.gen-', context.platform.random) : asked
    const { vhosts, policies } = door.administration
    const what = this.#told(name)
    const given = this.#withType(new Arguments(declared.arguments, what))
    const type = queueType(given)
    checkProperties(type, declared, what)
    vhosts.checkQueues(names.vhost)
    const args = new Arguments(policies.current.effective(names.vhost, type, name, given.json), what)
    access.check('create', type === 'stream' ? 'topic' : 'queue', name)
    const deadLetters = args.text('x-dead-letter-exchange')
    if (deadLetters !== undefined) {
      access.check('consume', 'queue', name)
      access.check('publish', 'exchange', deadLetters)
    }
    const core = names.core(name)
    const labels = labelsOf({ ...propertiesOf(declared), type, arguments: given.json })
    if (type === 'stream') {
      return { ...NOTHING, name, ticket: broker.createTopic({ name: core, ...streamSettings(args), labels }) }
    }
    const { durable, exclusive, autoDelete } = declared
    const settings = queueSettings(args, type, names)
    // An exclusive queue ends with its connection, and so at the latest with the broker.
    const ticket = broker.createQueue({ name: core, ...settings, durable: durable && !exclusive, autoDelete, labels })
    if (exclusive) door.owners.set(core, this.#client)
    return { ...NOTHING, name, ticket }
  }

  #checkSame(name: string, found: FoundQueue, declared: DeclareArguments): void {
    const what = this.#told(name)
    const args = this.#withType(new Arguments(declared.arguments, what))
    const type = queueType(args)
    const current = declaredOf(found)
    checkSame(what, 'durable', declared.durable, current.durable)
    checkSame(what, 'auto_delete', declared.autoDelete, current.autoDelete)
    if (declared.exclusive !== current.exclusive) throw this.#locked(name)
    checkSame(what, 'x-queue-type', type, current.type)
    if (current.arguments !== undefined) checkSameArguments(what, KNOWN_ARGUMENTS, args.json, current.arguments)
    else this.#checkSameSettings(name, type, args)
  }

  /** Of a queue that another door created: by what it is. */
  #checkSameSettings(name: string, type: QueueType, args: Arguments): void {
    const { broker, names } = this.#client
    if (type === 'stream' || !KNOWN_ARGUMENTS.some((known) => args.has(known))) return
    broker.createQueue({ name: names.core(name), ...queueSettings(args, type, names) })
  }

  // ---- emptying and deleting ------------------------------------------------------------------------------------------------

  /** @returns what drops the messages that it has now, as far as they are durable by then */
  purge(name: string): () => Purge {
    const found = this.get(name)
    if (found.kind === 'topic') throw new AmqpError('not-implemented', `queue.purge not supported by stream ${this.#told(name)}`)
    this.#client.access.check('consume', 'queue', name)
    const { broker, names } = this.#client
    const core = names.core(name)
    const end = broker.endOfQueue(core)
    // When it is gone by then, so are they.
    return () => orUndefined(() => broker.purgeQueue(core, end)) ?? { ticket: 0, messages: 0 }
  }

  /** What is not there is deleted already. */
  delete(name: string, { ifUnused, ifEmpty }: { readonly ifUnused: boolean; readonly ifEmpty: boolean }): QueueCounts {
    const { access, broker, names } = this.#client
    const found = this.find(name)
    if (found === undefined) return { ...NOTHING, name, ticket: broker.visibleTicket }
    this.checkOwner(name)
    access.check('delete', found.kind, name)
    const counts = this.#counts(name, found, 0)
    if (ifUnused && counts.consumers > 0) throw new AmqpError('precondition-failed', `${this.#told(name)} in use`)
    if (ifEmpty && counts.messages > 0) throw new AmqpError('precondition-failed', `${this.#told(name)} is not empty`)
    const core = names.core(name)
    return { ...counts, ticket: found.kind === 'queue' ? broker.deleteQueue(core) : broker.deleteTopic(core) }
  }

  /** Deletes what belongs to this connection alone, at its end. */
  deleteOwned(): void {
    const { broker, door } = this.#client
    for (const [core, owner] of door.owners) {
      if (owner !== this.#client) continue
      door.owners.delete(core)
      orUndefined(() => broker.deleteQueue(core))
    }
  }

  // ---- pieces -----------------------------------------------------------------------------------------------------------------

  /** A virtual host may say what queues are whose type is not said. */
  #withType(args: Arguments): Arguments {
    const { door, names } = this.#client
    const type = door.administration.vhosts.get(names.vhost).defaultQueueType
    if (type === undefined || args.has('x-queue-type')) return args
    return new Arguments({ ...args.json, 'x-queue-type': type }, '')
  }

  #counts(name: string, found: FoundQueue, ticket: Ticket): QueueCounts {
    if (found.kind === 'queue') return { ticket, name, messages: found.info.ready, consumers: found.info.consumers }
    const messages = found.info.partitionInfo.reduce((sum, { start, end }) => sum + end - start, 0)
    return { ticket, name, messages, consumers: 0 }
  }

  #told(name: string): string {
    return this.#client.names.told('queue', name)
  }

  #locked(name: string): AmqpError {
    return new AmqpError(
      'resource-locked',
      `cannot obtain exclusive access to locked ${this.#told(name)}. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
    )
  }
}

const NOTHING = { messages: 0, consumers: 0 }

function propertiesOf({ durable, exclusive, autoDelete }: DeclareArguments): Omit<DeclaredQueue, 'type' | 'arguments'> {
  return { durable, exclusive, autoDelete }
}

export function labelsOf(declared: DeclaredQueue): Labels {
  return { amqp: declared }
}

/** `arguments` of what was not declared over AMQP is undefined. */
export function declaredOf({
  kind,
  info,
}: FoundQueue): Omit<DeclaredQueue, 'arguments'> & { readonly arguments?: ArgumentsJson } {
  const { amqp } = (info.labels ?? {}) as { readonly amqp?: DeclaredQueue }
  if (amqp !== undefined) return amqp
  if (kind === 'topic') return { type: 'stream', durable: true, exclusive: false, autoDelete: false }
  return { type: 'classic', durable: info.durable, exclusive: false, autoDelete: info.autoDelete }
}

/** Whether its messages say how often they were delivered before. */
export function tellsCountOf(found: FoundQueue): boolean {
  return declaredOf(found).type === 'quorum'
}
