// hot path (bench/src/native.ts)
import {
  type Frame,
  type FrameReader,
  type FrameWriter,
  ProtocolError,
  readFrame,
  SettleFrame,
  SettleOutcome,
  writeFrame,
} from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Consumer, Outcome } from '../../core/broker.ts'
import { check } from '../api/json-schema.ts'
import { type ConsumeRequest, consumeRequest, nackOptions, rejectOptions } from './consume-schemas.ts'
import { DeliveryPipe } from './delivery-pipe.ts'
import { limits } from './limits.ts'
import { reason } from './publishing.ts'
import { TicketRing } from './ticket-ring.ts'
import type { Ticket } from '../commit-waiters.ts'

const ACK: Outcome = { kind: 'ack' }

/** What a settle frame asks for: an outcome, or more lease. */
type Wish = Outcome | 'extend'

/** The consuming half of a session: consumers, readers, and the settles whose durability the client was not told of yet. */
export class Consuming {
  readonly #broker: Broker
  readonly #writer: FrameWriter
  readonly #wake: () => void
  readonly #pipes = new Map<number, DeliveryPipe>()
  /** Those that may have credit to pass on, in the order in which they asked. */
  #hungry: DeliveryPipe[] = []
  readonly #settles = new TicketRing()
  readonly #settle = new SettleFrame()
  #settleOrdinal = 0
  readonly #failedRanges: number[] = []
  #lastTicket: Ticket = 0
  #stalled = false
  #stopped = false

  /** @param wake asks for a flush at the end of the turn */
  constructor(broker: Broker, writer: FrameWriter, wake: () => void) {
    this.#broker = broker
    this.#writer = writer
    this.#wake = wake
  }

  get waiting(): boolean {
    return this.#settles.length > 0
  }

  // ---- frames of the client -------------------------------------------------------------------------------------------

  consume(number: number, json: unknown, authorize: (request: ConsumeRequest) => void): void {
    if (this.#pipes.has(number)) throw new ProtocolError(`Consumer number ${number} is in use.`)
    try {
      const request = check(consumeRequest, json, '`consume`')
      authorize(request)
      if (this.#pipes.size >= limits.consumersMax) {
        throw new MillraceError('limit_reached', `A connection has at most ${limits.consumersMax} consumers. Open another one.`)
      }
      this.#open(number, request)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#pipes.delete(number)
      writeFrame(this.#writer, 'ended', { consumer: number, reason: reason(error) })
    }
  }

  /** Ends the consumers that `authorize` refuses. */
  review(authorize: (mode: ConsumeRequest['mode'], source: string) => void): void {
    for (const pipe of this.#pipes.values()) {
      try {
        authorize(pipe.mode, pipe.source)
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        this.#forget(pipe)
        pipe.close()
        writeFrame(this.#writer, 'ended', { consumer: pipe.number, reason: reason(error) })
      }
    }
  }

  /** Unknown numbers are those whose `ended` crossed this frame on the way. */
  grant(number: number, messages: number): void {
    const pipe = this.#pipes.get(number)
    if (pipe === undefined) return
    pipe.allow(messages)
    this.#feed(pipe)
  }

  revoke(number: number): void {
    this.#pipes.get(number)?.revoke()
    writeFrame(this.#writer, 'revoked', { consumer: number })
  }

  leave(number: number): void {
    const pipe = this.#pipes.get(number)
    if (pipe === undefined) return
    this.#forget(pipe)
    pipe.close()
    writeFrame(this.#writer, 'ended', { consumer: number, reason: { code: 'closed', message: 'The consumer left.' } })
  }

  /** Takes the `settle` frame that `reader` stands on. @throws ProtocolError */
  settle(reader: FrameReader): void {
    const frame = this.#settle
    frame.read(reader)
    this.#failedRanges.length = 0
    try {
      const wish = this.#wish(frame, reader)
      const stale = this.#apply(frame, wish)
      if (stale !== undefined) this.#settleFailed(stale, this.#failedRanges.slice())
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#settleFailed(error, undefined)
    }
    this.#settles.push(this.#lastTicket, 0)
    this.#settleOrdinal++
  }

  /** For a transaction. @throws `stale_delivery` when it is gone, and so nothing is held by it */
  consumerOf(number: number): Consumer {
    const pipe = this.#pipes.get(number)
    if (pipe !== undefined) return pipe.consumer
    throw new MillraceError('stale_delivery', `Consumer ${number} is gone; what it held went back to be delivered again.`)
  }

  // ---- the session's turns --------------------------------------------------------------------------------------------

  /** Tells which settles became durable. */
  confirm(committed: Ticket): void {
    const count = this.#settles.durable(committed)
    if (count === 0) return
    this.#settles.drop(count)
    writeFrame(this.#writer, 'settled', { count })
  }

  /** Passes credit on, as far as the connection takes what comes back. @param roomBytes what it takes before its backlog is too large */
  feed(roomBytes: number): void {
    if (this.#stopped) return
    if (this.#writer.bytes >= roomBytes) return this.#stall()
    this.#stalled = false
    const hungry = this.#hungry
    if (hungry.length === 0) return
    this.#hungry = []
    let n = 0
    for (; n < hungry.length && this.#writer.bytes < roomBytes; n++) {
      const pipe = hungry[n]!
      pipe.hungry = false
      pipe.pass()
    }
    // Those that did not get their turn go first next time.
    if (n < hungry.length) this.#hungry = hungry.slice(n).concat(this.#hungry)
  }

  /** Whether `feed` has something to do as soon as the connection takes more. */
  get hungry(): boolean {
    return this.#hungry.length > 0 && !this.#stopped
  }

  /** No more deliveries; what is held may still be settled. */
  stop(): void {
    this.#stopped = true
    for (const pipe of this.#pipes.values()) pipe.revoke()
  }

  /** Gives back what is held. */
  close(): void {
    this.#stopped = true
    const pipes = [...this.#pipes.values()]
    this.#pipes.clear()
    this.#hungry = []
    for (const pipe of pipes) pipe.close()
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #open(number: number, request: ConsumeRequest): void {
    const { mode, source, create, from, leaseMs, priority, exclusive, partition, filter } = request
    const pipe = new DeliveryPipe(number, request, this.#writer, {
      delivered: (hungry) => {
        if (hungry) this.#feed(hungry)
        this.#wake()
      },
      passed: (next) => {
        writeFrame(this.#writer, 'passed', { consumer: number, next })
        this.#wake()
      },
      caughtUp: () => {
        writeFrame(this.#writer, 'caughtUp', { consumer: number })
        this.#wake()
      },
      closed: (ended, error) => {
        this.#forget(ended)
        writeFrame(this.#writer, 'ended', { consumer: number, reason: reason(error) })
        this.#wake()
      },
    })
    this.#pipes.set(number, pipe)
    if (mode === 'consume') {
      if (partition !== undefined)
        throw new MillraceError('bad_request', '`partition` is for mode `read`: consumers share all partitions.')
      if (filter !== undefined)
        throw new MillraceError('bad_request', '`filter` is for mode `read`: that of a subscription is in its delivery policy.')
      const options = {
        ...(create === undefined ? {} : { create }),
        ...(from === undefined ? {} : { from }),
        ...(leaseMs === undefined ? {} : { leaseMs }),
        ...(priority === undefined ? {} : { priority }),
        ...(exclusive === undefined ? {} : { exclusive }),
      }
      pipe.attach(this.#broker.consume(source, options, pipe))
    } else {
      if (leaseMs !== undefined || priority !== undefined || exclusive !== undefined) {
        const what = '`leaseMs`, `priority` and `exclusive` are for mode `consume`: a reader holds nothing.'
        throw new MillraceError('bad_request', what)
      }
      const options = {
        from: from ?? 'latest',
        ...(partition === undefined ? {} : { partition }),
        ...(filter === undefined ? {} : { filter }),
      }
      pipe.attach(this.#broker.read(source, options, pipe))
    }
    // The broker may have closed it at once.
    if (this.#pipes.get(number) === pipe) writeFrame(this.#writer, 'consuming', { consumer: number })
  }

  #forget(pipe: DeliveryPipe): void {
    this.#pipes.delete(pipe.number)
  }

  #feed(pipe: DeliveryPipe): void {
    if (pipe.hungry) return
    pipe.hungry = true
    this.#hungry.push(pipe)
    if (!this.#stalled) this.#wake()
  }

  /** The peer does not keep up: what the broker has not delivered yet it shall keep for others. */
  #stall(): void {
    if (this.#stalled) return
    this.#stalled = true
    for (const pipe of this.#pipes.values()) {
      pipe.withhold()
      this.#feed(pipe)
    }
  }

  #wish(frame: SettleFrame, reader: FrameReader): Wish {
    const { outcome, optionsAt } = frame
    if (outcome === SettleOutcome.ack || outcome === SettleOutcome.extend) {
      if (optionsAt !== reader.end) throw new ProtocolError('`settle` has bytes too many.')
      return outcome === SettleOutcome.ack ? ACK : 'extend'
    }
    const decoded: Frame = readFrame(reader.bytes, reader.view, reader.start, reader.end)
    assert(decoded.name === 'settle', 'the frame is a settle frame')
    const options = decoded.options ?? {}
    if (outcome === SettleOutcome.nack) return { kind: 'nack', ...check(nackOptions, options, 'the options of a nack') }
    if (outcome === SettleOutcome.reject) return { kind: 'reject', ...check(rejectOptions, options, 'the options of a reject') }
    throw new ProtocolError(`\`settle\` with outcome ${outcome}; 0 to 3 exist.`)
  }

  /** @returns the first of the errors about ranges that are held by somebody else by now; the others are settled */
  #apply(frame: SettleFrame, wish: Wish): MillraceError | undefined {
    const consumer = this.consumerOf(frame.consumer)
    let stale: MillraceError | undefined
    for (let n = 0; n < frame.count; n++) {
      frame.range(n)
      try {
        const attempt = frame.attempt === 0 ? undefined : frame.attempt
        if (wish === 'extend') consumer.extend(frame.partition, frame.first, frame.last, attempt)
        else consumer.settle(frame.partition, frame.first, frame.last, wish, attempt)
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
        stale ??= error
        this.#failedRanges.push(n)
      }
    }
    // A lease is nothing durable: it waits for what came before it only.
    if (wish !== 'extend') this.#lastTicket = this.#broker.ticket()
    return stale
  }

  #settleFailed(error: MillraceError, ranges: number[] | undefined): void {
    const why = ranges === undefined ? reason(error) : { ...reason(error), ranges }
    writeFrame(this.#writer, 'settleFailed', { settle: this.#settleOrdinal, reason: why })
  }
}
