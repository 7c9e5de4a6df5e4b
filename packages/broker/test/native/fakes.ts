import {
  batchProblem,
  encodeBatch,
  type Frame,
  type FrameBody,
  type FrameName,
  FrameReader,
  FrameWriter,
  readFrame,
  writeFrame,
} from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type {
  Broker,
  Consumer,
  DeliverySink,
  Destination,
  Outcome,
  Published,
  Reader,
  TransactionAction,
} from '../../src/core/broker.ts'
import type { Platform } from '../../src/ports/platform.ts'
import { CommitWaiters } from '../../src/protocols/commit-waiters.ts'
import { openToAll } from '../../src/protocols/security.ts'
import { allowAll, type Connection, type SessionContext } from '../../src/protocols/session.ts'

/** Time and turns by hand. */
export class FakePlatform implements Platform {
  nowMs = 1000
  readonly #endOfTurn: (() => void)[] = []
  readonly #timers: { atMs: number; task: () => void }[] = []
  readonly clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs }
  readonly random = { uint32: () => 4 }
  readonly scheduler = {
    endOfTurn: (task: () => void) => void this.#endOfTurn.push(task),
    after: (delayMs: number, task: () => void) => {
      const timer = { atMs: this.nowMs + delayMs, task }
      this.#timers.push(timer)
      return { cancel: () => void this.#timers.splice(this.#timers.indexOf(timer), 1) }
    },
  }

  endTurn(): void {
    for (const task of this.#endOfTurn.splice(0)) task()
  }

  async settle(): Promise<void> {
    for (let n = 0; n < 10; n++) {
      await Promise.resolve()
      this.endTurn()
    }
  }

  advance(ms: number): void {
    this.nowMs += ms
    for (const timer of this.#timers.filter(({ atMs }) => atMs <= this.nowMs)) {
      this.#timers.splice(this.#timers.indexOf(timer), 1)
      timer.task()
    }
    this.endTurn()
  }
}

export interface FakeConsumer {
  readonly source: string
  readonly sink: DeliverySink
  credit: number
  closed: boolean
  readonly settled: [number, number, number, Outcome | 'extend', number | undefined][]
}

/** As much of a broker as a session can see of it. Batches get offsets one by one; commits happen when the test says so. */
export class FakeBroker {
  tickets = 1
  committedTicket = 0
  congested = false
  readonly shortages = { disk: false, memory: false, listen: () => () => {} }
  offset = 100
  partitions = 3
  /** What whoever publishes has to wait, and who was asked about. */
  quotaWaitMs = 0
  readonly charged: [string, string, string, number][] = []
  readonly quotas = {
    charge: (...charge: [string, string, string, number]) => {
      this.charged.push(charge)
      return this.quotaWaitMs
    },
  }
  readonly published: [string, number, Uint8Array][] = []
  readonly scheduled: [string, number, Uint8Array, number][] = []
  readonly consumers: FakeConsumer[] = []
  refusal: MillraceError | undefined
  stale: number | undefined
  readonly #committed = new Set<(ticket: number) => void>()
  readonly #relief = new Set<() => void>()
  readonly limits = {
    batchBytesMax: 1_000_000,
    nameBytesMax: 255,
    partitionsMax: 100,
    queuesMax: 100,
    inFlightPerConsumerMax: 1000,
  }

  get facade(): Broker {
    return this as unknown as Broker
  }

  ticket(): number {
    return this.tickets
  }

  commit(): void {
    this.committedTicket = this.tickets++
    for (const listener of this.#committed) listener(this.committedTicket)
  }

  relieve(): void {
    this.congested = false
    for (const listener of this.#relief) listener()
  }

  get reliefListeners(): number {
    return this.#relief.size
  }

  onCommitted(listener: (ticket: number) => void): () => void {
    this.#committed.add(listener)
    return () => void this.#committed.delete(listener)
  }

  onRelief(listener: () => void): () => void {
    this.#relief.add(listener)
    return () => void this.#relief.delete(listener)
  }

  whenCommitted(): Promise<void> {
    return Promise.resolve()
  }

  destination(name: string, create: boolean): Destination {
    if (name === 'queue:missing' && !create) throw new MillraceError('not_found', 'no such queue')
    return new FakeDestination(this, name)
  }

  transact(actions: readonly TransactionAction[]): readonly (readonly Published[])[] {
    if (this.refusal !== undefined) throw this.refusal
    return actions.map((action) =>
      action.kind === 'settle' || action.kind === 'cancel' ? [] : [{ partition: 0, baseOffset: this.offset++ }],
    )
  }

  consume(source: string, _options: unknown, sink: DeliverySink): Consumer {
    if (source === 'queue:missing') throw new MillraceError('not_found', 'no such queue')
    const consumer: FakeConsumer = { source, sink, credit: 0, closed: false, settled: [] }
    this.consumers.push(consumer)
    const check = (first: number, last: number): void => {
      if (this.stale !== undefined && first <= this.stale && this.stale <= last) {
        throw new MillraceError('stale_delivery', `${this.stale} is not held`)
      }
    }
    return {
      checkAdmitted: () => undefined,
      grant: (messages) => void (consumer.credit += messages),
      turn: 'shared',
      revoke: () => void (consumer.credit = 0),
      settle: (partition, first, last, outcome, attempt) => {
        check(first, last)
        consumer.settled.push([partition, first, last, outcome, attempt])
      },
      extend: (partition, first, last, attempt) => {
        check(first, last)
        consumer.settled.push([partition, first, last, 'extend', attempt])
      },
      drain: () => undefined,
      retire: () => undefined,
      restrict: () => undefined,
      leaseMs: 60_000,
      close: () => void (consumer.closed = true),
    }
  }

  read(source: string, _options: unknown, sink: DeliverySink): Reader {
    const reader: FakeConsumer = { source, sink, credit: 0, closed: false, settled: [] }
    this.consumers.push(reader)
    return new FakeReader(reader)
  }

  queue(name: string): unknown {
    return { name, ready: 3 }
  }

  createQueue(): number {
    return this.tickets
  }
}

class FakeDestination implements Destination {
  readonly kind = 'queue'
  readonly duplicates = undefined
  readonly placed = undefined
  readonly refused = undefined
  readonly name: string
  readonly #broker: FakeBroker

  constructor(broker: FakeBroker, name: string) {
    this.#broker = broker
    this.name = name
  }

  get partitions(): number {
    return this.#broker.partitions
  }

  publish(partition: number, bytes: Uint8Array): number {
    if (this.#broker.refusal !== undefined) throw this.#broker.refusal
    const problem = batchProblem(bytes)
    if (problem !== undefined) throw new MillraceError('bad_batch', problem)
    this.#broker.published.push([this.name, partition, bytes.slice()])
    return this.#broker.offset++
  }

  publishWhatFits(partition: number, bytes: Uint8Array): number {
    return this.publish(partition, bytes)
  }

  publishLater(partition: number, bytes: Uint8Array, dueMs: number): number {
    if (this.#broker.refusal !== undefined) throw this.#broker.refusal
    this.#broker.scheduled.push([this.name, partition, bytes.slice(), dueMs])
    return this.#broker.offset++
  }

  partitionFor(): number {
    return -1
  }
}

class FakeReader implements Reader {
  readonly atEnd = false
  readonly #state: FakeConsumer

  constructor(state: FakeConsumer) {
    this.#state = state
  }

  grant(messages: number): void {
    this.#state.credit += messages
  }

  revoke(): void {
    this.#state.credit = 0
  }

  close(): void {
    this.#state.closed = true
  }
}

/** The client's end: what was written, as frames. */
export class FakeConnection implements Connection {
  readonly peer = { address: 'test', transport: 'in-process', secure: true } as const
  readonly backlogLowBytes = 1000
  backlogBytes = 0
  /** Whether the peer takes what is written. */
  flowing = true
  paused = false
  closed = false
  writes = 0
  readonly #reader = new FrameReader(1 << 30)
  readonly #frames: Frame[] = []
  hex = ''

  write(chunks: readonly Uint8Array[]): void {
    if (this.closed) throw new Error('the session wrote after close()')
    this.writes++
    for (const chunk of chunks) {
      if (!this.flowing) this.backlogBytes += chunk.length
      if (this.hex.length < 10_000) this.hex += Buffer.from(chunk).toString('hex')
      this.#reader.feed(chunk)
      while (this.#reader.next()) {
        const { bytes, view, start, end } = this.#reader
        this.#frames.push(readFrame(bytes, view, start, end))
      }
    }
  }

  take(): Frame[] {
    return this.#frames.splice(0)
  }

  close(): void {
    this.closed = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }
}

export function bytesOf<N extends FrameName>(name: N, body: FrameBody<N>): Uint8Array {
  const writer = new FrameWriter()
  writeFrame(writer, name, body)
  return Buffer.concat(writer.take())
}

export function batch(...bodies: string[]): Uint8Array {
  return encodeBatch(bodies.map((body) => ({ timestampMs: 1, value: Buffer.from(body) }))).slice()
}

export function fakeContext(platform: FakePlatform, broker: FakeBroker): SessionContext {
  return {
    broker: broker.facade,
    platform,
    commits: new CommitWaiters(broker),
    identity: { brokerId: 'b', brokerVersion: '1' },
    authorize: allowAll,
    security: openToAll,
    status: () => ({ version: '1', pid: 1, uptimeMs: 1, engine: 'fake', durability: 'none', listeners: {} }),
  }
}
