import { type BatchRecord, decodeBatch } from '@millrace/wire'
import type { Broker, Consumer, Delivery, DeliverySink, Destination, Outcome } from '../../core/broker.ts'
import type { DeadLetterWatch } from './dead-letter-watch.ts'
import type { Faults } from './faults.ts'
import { type SpiedMessage, spiedMessage } from './message-log.ts'
import { overriding } from './overriding.ts'
import type { Recorder } from './recorder.ts'

export interface SpyContext {
  readonly broker: Broker
  readonly recorder: Recorder
  readonly faults: Faults
  readonly deadLetters: DeadLetterWatch
}

/**
 * The façade as the sessions of one connection see it: the real one, with an eye on what goes through it, and failures on demand.
 * @param cut loses the connection at once
 */
export function spiedBroker(context: SpyContext, cut: () => void): Broker {
  const { broker, faults, deadLetters } = context
  const defined = <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) => {
    return (...args) => {
      faults.check('define', undefined)
      return call(...args)
    }
  }
  return overriding(broker, {
    destination(name, create) {
      const destination = broker.destination(name, create)
      return spiedDestination(context, destination, `${destination.kind}:${destination.name}`, cut)
    },
    consume(source, options, sink) {
      faults.check('consume', source)
      const spy = new ConsumerSpy(context, source, sink)
      const consumer = broker.consume(source, options, spy.sink)
      deadLetters.watch(source)
      return spy.consumer(consumer)
    },
    createTopic: defined((spec) => broker.createTopic(spec)),
    createQueue: defined((spec) => broker.createQueue(spec)),
    createSubscription: defined((spec) => broker.createSubscription(spec)),
    updateTopic: defined((name, change) => broker.updateTopic(name, change)),
    updateQueue: defined((name, change) => broker.updateQueue(name, change)),
    deleteTopic: defined((name) => broker.deleteTopic(name)),
    deleteQueue: defined((name) => broker.deleteQueue(name)),
    deleteSubscription: defined((topic, name) => broker.deleteSubscription(topic, name)),
  })
}

function spiedDestination(context: SpyContext, destination: Destination, name: string, cut: () => void): Destination {
  const { recorder, faults } = context
  return overriding(destination, {
    publish(...args) {
      faults.check('publish', name)
      const [partition, batch] = args
      const baseOffset = destination.publish(...args)
      const records = decodeBatch(batch.slice(), baseOffset)
      const atMs = recorder.nowMs
      whenDurable(context.broker, () => {
        const log = recorder.log('published', name)
        for (const record of records) {
          log.add(spiedMessage(record, { partition: Math.max(0, partition), offset: record.offset, atMs, attempt: 0 }))
        }
      })
      if (faults.take('confirm', name) !== undefined) cut()
      return baseOffset
    },
  })
}

/** One consumer: what it was given, and what it said about each. */
class ConsumerSpy {
  readonly sink: DeliverySink
  readonly #context: SpyContext
  readonly #source: string
  /** By partition and offset. */
  readonly #held = new Map<string, { readonly record: BatchRecord; readonly attempt: number }>()

  constructor(context: SpyContext, source: string, sink: DeliverySink) {
    this.#context = context
    this.#source = source
    this.sink = overriding(sink, {
      deliver: (delivery) => {
        this.#delivered(delivery)
        sink.deliver(delivery)
      },
    })
  }

  consumer(consumer: Consumer): Consumer {
    return overriding(consumer, {
      settle: (...args) => {
        const [partition, first, last, outcome] = args
        const fault = this.#context.faults.take('settle', this.#source)
        if (fault !== undefined) {
          // Stale means that somebody else gets the message.
          if (fault.code === 'stale_delivery') consumer.settle(partition, first, last, { kind: 'nack' })
          throw fault
        }
        const result = consumer.settle(...args)
        this.#settled(partition, first, last, outcome)
        return result
      },
    })
  }

  #delivered({ batch, baseOffset, first, last, partition, attempt }: Delivery): void {
    for (const record of decodeBatch(batch, baseOffset, first, last)) {
      this.#held.set(`${partition}:${record.offset}`, { record, attempt })
      this.#context.recorder.log('consumed', this.#source).add(this.#message(partition, record, attempt))
    }
  }

  #settled(partition: number, first: number, last: number, outcome: Outcome): void {
    const event = outcome.kind === 'ack' ? 'acked' : outcome.kind === 'nack' ? 'nacked' : 'rejected'
    const reason = outcome.kind === 'nack' ? outcome.error : outcome.kind === 'reject' ? outcome.reason : undefined
    const messages: SpiedMessage[] = []
    for (let offset = first; offset <= last; offset++) {
      const held = this.#held.get(`${partition}:${offset}`)
      this.#held.delete(`${partition}:${offset}`)
      if (held !== undefined) messages.push(this.#message(partition, held.record, held.attempt, reason))
    }
    // Given back unseen, as a consumer does that leaves: nobody said anything about it.
    if (outcome.kind === 'nack' && outcome.uncounted === true) return
    const { broker, recorder } = this.#context
    whenDurable(broker, () => {
      const log = recorder.log(event, this.#source)
      for (const message of messages) log.add(message)
    })
  }

  #message(partition: number, record: BatchRecord, attempt: number, reason?: string): SpiedMessage {
    return spiedMessage(record, { partition, offset: record.offset, atMs: this.#context.recorder.nowMs, attempt, reason })
  }
}

/** What is never committed did not happen. */
function whenDurable(broker: Broker, happened: () => void): void {
  broker.whenCommitted(broker.ticket()).then(happened, () => undefined)
}
