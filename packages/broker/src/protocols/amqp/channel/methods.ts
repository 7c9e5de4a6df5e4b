import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { Method, MethodArguments, MethodName, WrittenArguments } from '../codec/methods.ts'
import type { Bindings } from '../definitions/bindings.ts'
import type { Exchanges } from '../definitions/exchanges.ts'
import { withoutLineEnds } from '../definitions/names.ts'
import type { Queues } from '../definitions/queues.ts'
import type { Channel } from './channel.ts'
import { Transaction } from './transaction.ts'

interface Definitions {
  readonly queues: Queues
  readonly exchanges: Exchanges
  readonly bindings: Bindings
}

/** What a channel does when it is told to, other than publish and acknowledge. Methods throw AmqpError and MillraceError. */
export class Methods {
  readonly #channel: Channel
  readonly #client: Client
  readonly #definitions: Definitions
  /** The queue that an empty name stands for. */
  #lastQueue: string | undefined
  #transaction: Transaction | undefined

  constructor(channel: Channel, client: Client, definitions: Definitions) {
    this.#channel = channel
    this.#client = client
    this.#definitions = definitions
  }

  handle(method: Method): void {
    switch (method.name) {
      case 'channel.open':
        throw new AmqpError('channel-error', `second 'channel.open' seen`)
      case 'channel.flow':
        this.#channel.consuming.flow(method.args.active)
        return this.#answer(0, 'channel.flow-ok', { active: method.args.active })
      case 'channel.close':
        return this.#channel.leave()
      case 'channel.close-ok':
      case 'channel.flow-ok':
        return
      case 'access.request':
        return this.#answer(0, 'access.request-ok', { ticket: 1 })
      case 'exchange.declare':
      case 'exchange.delete':
      case 'exchange.bind':
      case 'exchange.unbind':
        return this.#exchange(method)
      case 'queue.declare':
      case 'queue.delete':
      case 'queue.purge':
      case 'queue.bind':
      case 'queue.unbind':
        return this.#queue(method)
      case 'confirm.select':
        return this.#selectConfirms(method.args.noWait)
      case 'tx.select':
      case 'tx.commit':
      case 'tx.rollback':
        return this.#transact(method.name)
      default:
        return this.#basic(method)
    }
  }

  // ---- exchanges ----------------------------------------------------------------------------------------------------------

  #exchange(method: Extract<Method, { name: `exchange.${'declare' | 'delete' | 'bind' | 'unbind'}` }>): void {
    const { exchanges, bindings } = this.#definitions
    switch (method.name) {
      case 'exchange.declare': {
        const ticket = exchanges.declare(withoutLineEnds(method.args.exchange), method.args)
        return this.#answerUnless(method.args.noWait, ticket, 'exchange.declare-ok', {})
      }
      case 'exchange.delete': {
        const ticket = exchanges.delete(withoutLineEnds(method.args.exchange), method.args.ifUnused)
        return this.#answerUnless(method.args.noWait, ticket, 'exchange.delete-ok', {})
      }
      case 'exchange.bind':
        return this.#answerUnless(method.args.noWait, bindings.bindExchange(method.args), 'exchange.bind-ok', {})
      case 'exchange.unbind':
        return this.#answerUnless(method.args.noWait, bindings.unbindExchange(method.args), 'exchange.unbind-ok', {})
    }
  }

  // ---- queues -------------------------------------------------------------------------------------------------------------

  #queue(method: Extract<Method, { name: `queue.${'declare' | 'delete' | 'purge' | 'bind' | 'unbind'}` }>): void {
    const { queues, bindings } = this.#definitions
    switch (method.name) {
      case 'queue.declare':
        return this.#declareQueue(method.args)
      case 'queue.delete': {
        // It has its place before the cancels of the queue's consumers.
        const answer = this.#channel.answers.add(undefined)
        const { ticket, messages } = queues.delete(this.#queueNamed(method.args.queue), method.args)
        answer.ticket = ticket
        if (!method.args.noWait) answer.write = () => this.#channel.send('queue.delete-ok', { messageCount: messages })
        return this.#client.wake()
      }
      case 'queue.purge': {
        const purge = queues.purge(this.#queueNamed(method.args.queue))
        let messageCount = 0
        // What its client published before it is in the queue once that is durable.
        const answer = this.#channel.answers.add(this.#client.publishedTicket)
        answer.act = () => {
          const { ticket, messages } = purge()
          messageCount = messages
          return ticket
        }
        if (!method.args.noWait) answer.write = () => this.#channel.send('queue.purge-ok', { messageCount })
        return this.#client.wake()
      }
      case 'queue.bind':
        return this.#answerUnless(method.args.noWait, bindings.bindQueue(this.#queueBinding(method.args)), 'queue.bind-ok', {})
      case 'queue.unbind':
        return this.#answer(bindings.unbindQueue(this.#queueBinding(method.args)), 'queue.unbind-ok', {})
    }
  }

  #declareQueue(args: MethodArguments<'queue.declare'>): void {
    const given = withoutLineEnds(args.queue)
    // Asked for passively, no name stands for the last one too.
    const name = given === '' && args.passive ? this.#queueNamed('') : given
    const { ticket, name: queue, messages, consumers } = this.#definitions.queues.declare(name, args)
    this.#lastQueue = queue
    this.#answerUnless(args.noWait, ticket, 'queue.declare-ok', { queue, messageCount: messages, consumerCount: consumers })
  }

  #queueBinding(args: Pick<MethodArguments<'queue.bind'>, 'queue' | 'exchange' | 'routingKey' | 'arguments'>): {
    source: string
    destination: string
    routingKey: string
    arguments: typeof args.arguments
  } {
    const destination = this.#queueNamed(args.queue)
    const isBare = args.queue === '' && args.routingKey === ''
    return {
      source: withoutLineEnds(args.exchange),
      destination,
      routingKey: isBare ? destination : args.routingKey,
      arguments: args.arguments,
    }
  }

  #queueNamed(name: string): string {
    if (name !== '') return withoutLineEnds(name)
    if (this.#lastQueue === undefined) throw new AmqpError('not-found', 'no previously declared queue')
    return this.#lastQueue
  }

  // ---- messages -----------------------------------------------------------------------------------------------------------

  #basic(method: Method): void {
    const { consuming, getting, settling } = this.#channel
    switch (method.name) {
      case 'basic.qos':
        consuming.qos(method.args)
        return this.#answer(0, 'basic.qos-ok', {})
      case 'basic.consume': {
        const tag = consuming.consume(this.#queueNamed(method.args.queue), method.args)
        // Deliveries come after it.
        this.#channel.answers.add(0, () => {
          if (!method.args.noWait) this.#channel.send('basic.consume-ok', { consumerTag: tag })
          consuming.begin(tag)
        })
        return this.#client.wake()
      }
      case 'basic.cancel':
        consuming.cancel(method.args.consumerTag)
        return this.#answerUnless(method.args.noWait, 0, 'basic.cancel-ok', { consumerTag: method.args.consumerTag })
      case 'basic.get':
        getting.get(this.#queueNamed(method.args.queue), method.args.noAck)
        return this.#client.wake()
      case 'basic.recover':
      case 'basic.recover-async':
        if (!method.args.requeue) throw new AmqpError('not-implemented', 'requeue=false')
        settling.requeueAll()
        if (method.name === 'basic.recover') this.#answer(0, 'basic.recover-ok', {})
        return
      default:
        throw new AmqpError('command-invalid', `'${method.name}' is not for clients to send`)
    }
  }

  // ---- confirms and transactions ------------------------------------------------------------------------------------------

  #selectConfirms(noWait: boolean): void {
    if (this.#transaction !== undefined) throw new AmqpError('precondition-failed', 'cannot switch from tx to confirm mode')
    this.#channel.publishing.isConfirming = true
    this.#answerUnless(noWait, 0, 'confirm.select-ok', {})
  }

  #transact(name: `tx.${'select' | 'commit' | 'rollback'}`): void {
    const { publishing, settling } = this.#channel
    if (name === 'tx.select') {
      if (publishing.isConfirming) throw new AmqpError('precondition-failed', 'cannot switch from confirm to tx mode')
      this.#transaction ??= new Transaction(this.#client.broker)
      publishing.taker = settling.taker = this.#transaction
      return this.#answer(0, 'tx.select-ok', {})
    }
    if (this.#transaction === undefined) throw new AmqpError('precondition-failed', 'channel is not transactional')
    if (name === 'tx.rollback') {
      this.#transaction.rollback(settling.unacked)
      return this.#answer(0, 'tx.rollback-ok', {})
    }
    const { changes, returned } = this.#transaction.commit()
    // What changes nothing has no commit to wait for.
    const ticket = changes ? this.#client.broker.ticket() : 0
    if (changes) this.#client.publishedTicket = ticket
    this.#channel.answers.add(ticket, () => {
      for (const message of returned) publishing.writeReturned(message)
      this.#channel.send('tx.commit-ok', {})
    })
    this.#client.wake()
  }

  // ---- answers ------------------------------------------------------------------------------------------------------------

  /** @param ticket what has to be durable first; 0: nothing */
  #answer<Name extends MethodName>(ticket: Ticket, name: Name, args: WrittenArguments<Name>): void {
    this.#channel.answers.add(ticket, () => this.#channel.send(name, args))
    this.#client.wake()
  }

  #answerUnless<Name extends MethodName>(noWait: boolean, ticket: Ticket, name: Name, args: WrittenArguments<Name>): void {
    if (!noWait) this.#answer(ticket, name, args)
  }
}
