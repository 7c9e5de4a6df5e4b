import { destinationAddress } from '@millrace/wire'
import { orUndefined } from '../../../base/errors.ts'
import type { Purge } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { locked } from './equivalence.ts'
import { findQueue, type FoundQueue } from './found-queue.ts'
import { checkNotReserved, randomName, REPLY_TO, REPLY_TO_PREFIX } from './names.ts'
import { QueueDeclaration } from './queue-declaration.ts'

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
    return findQueue(broker, names.core(name))
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
    if (owner !== undefined && owner !== this.#client) throw locked(this.#told(name))
  }

  address(name: string, { kind }: FoundQueue): string {
    return destinationAddress(kind, this.#client.names.core(name))
  }

  // ---- declaring ----------------------------------------------------------------------------------------------------------

  declare(name: string, args: DeclareArguments): QueueCounts {
    if (name === REPLY_TO || name.startsWith(REPLY_TO_PREFIX)) return this.#declareReplyQueue(name)
    const found = name === '' ? undefined : this.find(name)
    if (args.passive) this.#client.access.checkAny(found?.kind ?? 'queue', name)
    if (found !== undefined) {
      this.checkOwner(name)
      if (!args.passive) this.#declaration(name, args).checkSame(found)
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
    const { access, context, door, names } = this.#client
    checkNotReserved('queue', asked)
    const name = asked === '' ? randomName('amq.gen-', context.platform.random) : asked
    const declaration = this.#declaration(name, declared)
    const effective = declaration.effective()
    access.check('create', declaration.type === 'stream' ? 'topic' : 'queue', name)
    const deadLetters = effective.text('x-dead-letter-exchange')
    if (deadLetters !== undefined) {
      access.check('consume', 'queue', name)
      access.check('publish', 'exchange', deadLetters)
    }
    const ticket = declaration.create(effective)
    if (declared.exclusive) door.owners.set(names.core(name), this.#client)
    return { ...NOTHING, name, ticket }
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

  #declaration(name: string, declared: DeclareArguments): QueueDeclaration {
    const { door, names } = this.#client
    return new QueueDeclaration(door.administration, names, name, declared, declared.arguments)
  }

  #counts(name: string, found: FoundQueue, ticket: Ticket): QueueCounts {
    if (found.kind === 'queue') return { ticket, name, messages: found.info.ready, consumers: found.info.consumers }
    const messages = found.info.partitionInfo.reduce((sum, { start, end }) => sum + end - start, 0)
    return { ticket, name, messages, consumers: 0 }
  }

  #told(name: string): string {
    return this.#client.names.told('queue', name)
  }
}

const NOTHING = { messages: 0, consumers: 0 }
