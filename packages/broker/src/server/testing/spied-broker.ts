import { type BatchRecord, decodeBatch, destinationAddress, placesOfRecords } from '@millrace/wire'
import type {
  Broker,
  Consumer,
  Delivery,
  DeliverySink,
  Destination,
  Outcome,
  Published,
  RefusedRecords,
  TransactionAction,
} from '../../core/broker.ts'
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
  const spies = new WeakMap<Consumer, ConsumerSpy>()
  const defined = <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) => {
    return (...args) => {
      faults.check('define', undefined)
      return call(...args)
    }
  }
  return overriding(broker, {
    destination(name, create) {
      const destination = broker.destination(name, create)
      return spiedDestination(context, destination, destinationAddress(destination.kind, destination.name), cut)
    },
    consume(source, options, sink) {
      faults.check('consume', source)
      const spy = new ConsumerSpy(context, source, sink)
      const consumer = broker.consume(source, options, spy.sink)
      deadLetters.watch(source)
      const spied = spy.consumer(consumer)
      spies.set(spied, spy)
      return spied
    },
    transact(actions) {
      const places = spiedTransact(context, actions, spies)
      for (const action of actions) {
        if (isWrite(action) && faults.take('confirm', destinationsOf(action)[0]) !== undefined) cut()
      }
      return places
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
  const { faults } = context
  const spied = (publish: Destination['publish'], refused: () => readonly RefusedRecords[]): Destination['publish'] => {
    return (partition, batch) => {
      faults.check('publish', name)
      const baseOffset = publish(partition, batch)
      const { duplicates, placed } = destination
      const known = { ...(duplicates === undefined ? {} : { duplicates }), ...(placed === undefined ? {} : { placed }) }
      published(context, destination, batch, { partition: Math.max(0, partition), baseOffset, ...known }, refused())
      if (faults.take('confirm', name) !== undefined) cut()
      return baseOffset
    }
  }
  return overriding(destination, {
    publish: spied(
      (...args) => destination.publish(...args),
      () => [],
    ),
    publishWhatFits: spied(
      (...args) => destination.publishWhatFits(...args),
      () => destination.refused ?? [],
    ),
    publishLater(...args) {
      faults.check('publish', name)
      const id = destination.publishLater(...args)
      scheduled(context, name, args[1], Math.max(0, args[0]))
      if (faults.take('confirm', name) !== undefined) cut()
      return id
    },
  })
}

/** A transaction with the real consumers: what a spy throws in the middle of it would leave half of it done. */
function spiedTransact(
  context: SpyContext,
  actions: readonly TransactionAction[],
  spies: WeakMap<Consumer, ConsumerSpy>,
): ReturnType<Broker['transact']> {
  const spied = actions.map((action) => (action.kind === 'settle' ? spies.get(action.consumer)! : undefined))
  for (const [n, action] of actions.entries()) {
    if (action.kind === 'settle') spied[n]!.check(action.partition, action.first, action.last)
    else if (isWrite(action)) for (const name of destinationsOf(action)) context.faults.check('publish', name)
  }
  const places = context.broker.transact(
    actions.map((action, n) => (action.kind === 'settle' ? { ...action, consumer: spied[n]!.real } : action)),
  )
  for (const [n, action] of actions.entries()) {
    if (action.kind === 'settle') spied[n]!.settled(action.partition, action.first, action.last, action.outcome)
    else if (isWrite(action)) {
      const to = action.kind === 'publish' ? [action.to] : action.to
      const names = destinationsOf(action)
      const at = places[n]!
      for (const [m, name] of names.entries()) {
        if (names.indexOf(name) === m) published(context, to[m]!, action.batch, at[m]!)
      }
    }
  }
  return places
}

type WriteAction = Extract<TransactionAction, { kind: 'publish' | 'multicast' }>

function isWrite(action: TransactionAction): action is WriteAction {
  return action.kind === 'publish' || action.kind === 'multicast'
}

function destinationsOf(action: WriteAction): string[] {
  const destinations = action.kind === 'publish' ? [action.to] : action.to
  return destinations.map(({ kind, name }) => destinationAddress(kind, name))
}

/** Of a batch of which what is known already was left out. */
function published(
  { broker, recorder }: SpyContext,
  destination: Destination,
  batch: Uint8Array,
  { partition: at, baseOffset, duplicates: known, placed = [{ position: 0, partition: at, offset: baseOffset }] }: Published,
  refused: readonly RefusedRecords[] = [],
): void {
  const all = decodeBatch(batch.slice(), 0)
  const places = placesOfRecords(all.length, placed, known ?? [])
  const atMs = recorder.nowMs
  whenDurable(broker, () => {
    const log = recorder.log('published', destinationAddress(destination.kind, destination.name))
    for (const [position, { partition, offset, duplicate }] of places.entries()) {
      if (duplicate === undefined && !refused.some((each) => isAmong(position, each)))
        log.add(spiedMessage(all[position]!, { partition, offset, atMs, attempt: 0 }))
    }
  })
}

function isAmong(position: number, { position: first, records = Infinity }: RefusedRecords): boolean {
  return position >= first && position < first + records
}

/** Where its messages will be is not known yet. */
function scheduled({ broker, recorder }: SpyContext, name: string, batch: Uint8Array, partition: number): void {
  const records = decodeBatch(batch.slice(), 0)
  const atMs = recorder.nowMs
  whenDurable(broker, () => {
    const log = recorder.log('published', name)
    for (const record of records) log.add(spiedMessage(record, { partition, offset: -1, atMs, attempt: 0 }))
  })
}

/** One consumer: what it was given, and what it said about each. */
class ConsumerSpy {
  readonly sink: DeliverySink
  /** What it spies on. */
  real!: Consumer
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
    this.real = consumer
    return overriding(consumer, {
      settle: (...args) => {
        const [partition, first, last, outcome] = args
        this.check(partition, first, last)
        const result = consumer.settle(...args)
        this.settled(partition, first, last, outcome)
        return result
      },
    })
  }

  /** @throws the failure that was asked for */
  check(partition: number, first: number, last: number): void {
    const fault = this.#context.faults.take('settle', this.#source)
    if (fault === undefined) return
    // Stale means that somebody else gets the message.
    if (fault.code === 'stale_delivery') this.real.settle(partition, first, last, { kind: 'nack' })
    throw fault
  }

  #delivered({ batch, baseOffset, first, last, partition, attempt }: Delivery): void {
    for (const record of decodeBatch(batch, baseOffset, first, last)) {
      this.#held.set(`${partition}:${record.offset}`, { record, attempt })
      this.#context.recorder.log('consumed', this.#source).add(this.#message(partition, record, attempt))
    }
  }

  settled(partition: number, first: number, last: number, outcome: Outcome): void {
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
