// hot path (bench/src/native.ts)
import {
  BatchFormatError,
  type DeliverFrame,
  frameSchemas,
  isRetryable,
  type JsonObject,
  type Reason,
  RecordCursor,
  writeFrame,
} from '@millrace/wire'
import type { StartPosition, StoredMessage } from './api.ts'
import type { Credit } from './credit.ts'
import { errorOf, MillraceError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { Link } from './link.ts'
import { HeldMessage, ReceivedMessage, type SettleKind, type Settler, type SettleWaiter } from './received-message.ts'
import { SettleGroup } from './settle-group.ts'

const RETRY_MS = 500
const GRANT: number = frameSchemas.grant.opcode

/** Parameters of the `consume` frame. */
export interface SubscribeRequest {
  readonly source: string
  readonly mode: 'consume' | 'read'
  readonly create?: boolean
  readonly from?: StartPosition
  readonly leaseMs?: number
  readonly priority?: number
  readonly exclusive?: boolean
  readonly partition?: number
  readonly filter?: string
}

export interface SubscriberEvents {
  /** Messages can be taken. */
  available(): void
  /** Nothing follows. `undefined`: as it was asked to. */
  ended(error: MillraceError | undefined): void
  /** The connection was lost: what is held is no longer ours. It subscribes again by itself. */
  interrupted?(): void
  /** It subscribed again; all credit granted before is gone. */
  resubscribed?(): void
  caughtUp?(): void
  /** Of a reader with a filter: everything before `next` was looked at, and what matches came before this. */
  passed?(next: number): void
  revoked?(): void
  /** A settle failed. Whoever has its promise hears of it too. */
  settleFailed?(error: MillraceError, message: HeldMessage): void
}

interface Received {
  readonly cursor: RecordCursor
  readonly partition: number
  readonly baseOffset: number
  readonly firstDelta: number
  readonly lastDelta: number
  readonly attempt: number
  readonly turn: number
}

/** One consumer or reader across connections: subscribes, meters credit, hands out messages, gathers what is settled. */
export class Subscriber implements Settler {
  readonly number: number
  readonly link: Link
  readonly #events: SubscriberEvents
  readonly #request: () => SubscribeRequest
  readonly #received = new Fifo<Received>()
  #credit: Credit | undefined
  #isDirty = false
  #acks: SettleGroup | undefined
  #others: Map<string, SettleGroup> | undefined
  #state: 'active' | 'leaving' | 'ended' = 'active'
  #left: (() => void) | undefined
  #cancelRetry: (() => void) | undefined

  /**
   * @param request asked again for every connection: a reader goes on where it was
   * @param credit what may be under way or held at once; undefined leaves granting to the owner
   */
  constructor(link: Link, request: () => SubscribeRequest, credit: Credit | undefined, events: SubscriberEvents) {
    this.link = link
    this.#request = request
    this.#credit = credit
    this.#events = events
    this.number = link.addSubscriber(this)
    this.#subscribe()
  }

  // ---- for the owner --------------------------------------------------------------------------------------------------

  /** The next message of a consumer, or undefined when none is here. */
  take(): HeldMessage | undefined {
    const received = this.#next()
    if (received === undefined) return undefined
    const { partition, baseOffset, cursor, attempt, turn } = received
    return new HeldMessage(partition, baseOffset, cursor, attempt, this.link.generation, turn, this)
  }

  /** The next message of a reader, which holds nothing and so has nothing to settle. */
  takeStored(): StoredMessage | undefined {
    const received = this.#next()
    return received === undefined ? undefined : new ReceivedMessage(received.partition, received.baseOffset, received.cursor)
  }

  /** Has the first of what was received stand on its next record. */
  #next(): Received | undefined {
    for (;;) {
      const received = this.#received.at(0)
      if (received === undefined) return undefined
      const { cursor, baseOffset, firstDelta, lastDelta } = received
      try {
        while (cursor.next()) {
          if (cursor.offsetDelta < firstDelta) continue
          if (cursor.offsetDelta > lastDelta) break
          return received
        }
      } catch (error) {
        if (!(error instanceof BatchFormatError)) throw error
        this.#fail(
          new MillraceError('data_corrupt', `A batch at offset ${baseOffset} cannot be read: ${error.message}.`, {
            cause: error,
          }),
        )
        return undefined
      }
      this.#received.shift()
    }
  }

  /** Whether something that was received was not taken yet. The rest of a batch may turn out to be for others. */
  get hasMessages(): boolean {
    return this.#received.length > 0
  }

  /** Allows so many more messages, at once. */
  grant(messages: number): void {
    const { connection } = this.link
    if (connection === undefined || this.#state !== 'active') return
    connection.writer.begin(GRANT)
    connection.writer.u32(this.number)
    connection.writer.u32(messages)
    connection.writer.end()
    connection.wake()
  }

  /** Gives credit back: the owner is done with so many messages. */
  free(messages: number): void {
    if (this.#credit?.free(messages) === true) this.#markDirty()
  }

  /**
   * Takes back all credit, and grants no more by itself: what is given back meanwhile would come again at once. `revoked` tells when
   * nothing more is under way. @returns false when there is no connection, and so no credit
   */
  revoke(): boolean {
    this.#credit = undefined
    const { connection } = this.link
    if (connection === undefined || this.#state !== 'active') return false
    writeFrame(connection.writer, 'revoke', { consumer: this.number })
    connection.wake()
    return true
  }

  /** Leaves; what is held and not settled goes back to the source. Resolves when the broker said so. */
  leave(): Promise<void> {
    if (this.#state === 'ended') return Promise.resolve()
    const { connection } = this.link
    if (connection !== undefined && this.#state === 'active' && this.#request().mode === 'consume') this.#giveBackUntaken()
    this.#state = 'leaving'
    this.flush()
    this.#received.takeAll()
    if (connection === undefined) {
      this.#end(undefined)
      return Promise.resolve()
    }
    writeFrame(connection.writer, 'leave', { consumer: this.number })
    connection.wake()
    return new Promise((resolve) => {
      this.#left = resolve
    })
  }

  /** Nobody saw these: they do not count as attempts. */
  #giveBackUntaken(): void {
    for (let message = this.take(); message !== undefined; message = this.take()) {
      this.settle(message, 'nack', { uncounted: true })
    }
  }

  // ---- Settler --------------------------------------------------------------------------------------------------------

  settle(message: HeldMessage, kind: SettleKind, options?: object, waiter?: SettleWaiter): void {
    const stale = this.staleness(message)
    if (stale !== undefined) {
      const error = new MillraceError('stale_delivery', `Message ${message.offset} cannot be settled: ${stale}.`)
      if (waiter !== undefined) waiter.fail(error)
      this.#events.settleFailed?.(error, message)
      return
    }
    if (kind !== 'extend') {
      message.settled = true
      this.free(1)
    }
    let group = kind === 'ack' ? this.#acks : this.#others?.get(groupKey(kind, options))
    if (group === undefined || group.full) {
      if (group !== undefined) this.flush()
      group = new SettleGroup(this.number, kind, options)
      if (kind === 'ack') this.#acks = group
      else (this.#others ??= new Map()).set(groupKey(kind, options), group)
      this.#markDirty()
    }
    group.add(message, waiter)
  }

  staleness(message: HeldMessage): string | undefined {
    if (message.settled) return 'it was settled before'
    if (message.generation !== this.link.generation) return 'the connection it came on was lost, and it is delivered again'
    if (this.#state !== 'active') return 'its consumer has left, and it is delivered again'
    return undefined
  }

  /** What became of a settle that was sent. @param failed numbers of the ranges that the error is about; undefined: all */
  settled(group: SettleGroup, error: MillraceError | undefined, failed: readonly number[] | undefined): void {
    const { messages, waiters } = group
    for (let n = 0; n < messages.length; n++) {
      const message = messages[n]!
      if (error === undefined || (failed !== undefined && !group.inRanges(message, failed))) waiters[n]?.resolve()
      else {
        waiters[n]?.fail(error)
        this.#events.settleFailed?.(error, message)
      }
    }
  }

  // ---- for the link ---------------------------------------------------------------------------------------------------

  /** Writes what was gathered in this turn. */
  flush(): void {
    this.#isDirty = false
    const { connection } = this.link
    if (connection === undefined) return
    if (this.#acks !== undefined) {
      this.link.sendSettle(this, this.#acks)
      this.#acks = undefined
    }
    if (this.#others !== undefined) {
      for (const group of this.#others.values()) this.link.sendSettle(this, group)
      this.#others = undefined
    }
    if (this.#credit !== undefined && this.#state === 'active') {
      const messages = this.#credit.take()
      if (messages > 0) this.grant(messages)
    }
  }

  /** Subscribes on the current connection, if there is one. */
  subscribe(): void {
    if (this.#subscribe()) this.#events.resubscribed?.()
  }

  #subscribe(): boolean {
    const { connection } = this.link
    if (connection === undefined || this.#state !== 'active') return false
    writeFrame(connection.writer, 'consume', { consumer: this.number, options: this.#request() as unknown as JsonObject })
    if (this.#credit !== undefined) this.grant(this.#credit.restart())
    connection.wake()
    return true
  }

  deliver(frame: DeliverFrame, turn: number): void {
    if (this.#state !== 'active') return
    this.#credit?.seen(frame.batch.length, frame.lastDelta - frame.firstDelta + 1)
    this.#received.push({
      cursor: new RecordCursor(frame.batch),
      partition: frame.partition,
      baseOffset: frame.baseOffset,
      firstDelta: frame.firstDelta,
      lastDelta: frame.lastDelta,
      attempt: frame.attempt,
      turn,
    })
    this.#events.available()
  }

  passed(next: number): void {
    if (this.#state === 'active') this.#events.passed?.(next)
  }

  caughtUp(): void {
    this.#events.caughtUp?.()
  }

  revoked(): void {
    this.#events.revoked?.()
  }

  /** The broker ended it: because it left, for good, or for now. */
  endedByBroker(reason: Reason): void {
    if (this.#state === 'leaving') return this.#end(undefined)
    if (!isRetryable(reason.code)) return this.#fail(errorOf(reason))
    this.#interrupt(errorOf(reason))
    this.#cancelRetry = this.link.platform.after(RETRY_MS, () => this.subscribe())
  }

  /** The connection is gone. */
  lost(error: MillraceError): void {
    this.#interrupt(error)
    if (this.#state === 'leaving') this.#end(undefined)
  }

  /** The client is closed for good. */
  close(error: MillraceError | undefined): void {
    if (error === undefined) this.#end(undefined)
    else this.#fail(error)
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #markDirty(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.link.dirty(this)
  }

  /** What was received or gathered on the old connection is void. */
  #interrupt(error: MillraceError): void {
    this.#cancelRetry?.()
    this.#received.takeAll()
    const groups = [...(this.#acks === undefined ? [] : [this.#acks]), ...(this.#others?.values() ?? [])]
    this.#acks = this.#others = undefined
    for (const group of groups) {
      this.settled(
        group,
        new MillraceError('stale_delivery', 'The connection was lost before this was sent; the message is delivered again.', {
          cause: error,
        }),
        undefined,
      )
    }
    this.#events.interrupted?.()
  }

  #fail(error: MillraceError): void {
    if (this.#state === 'ended') return
    const leaveFrame = this.link.connection !== undefined && error.code === 'data_corrupt'
    if (leaveFrame) writeFrame(this.link.connection!.writer, 'leave', { consumer: this.number })
    this.#interrupt(error)
    this.#end(error)
  }

  #end(error: MillraceError | undefined): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#cancelRetry?.()
    this.#received.takeAll()
    this.link.removeSubscriber(this)
    this.#left?.()
    this.#events.ended(error)
  }
}

function groupKey(kind: SettleKind, options: object | undefined): string {
  return options === undefined ? kind : kind + JSON.stringify(options)
}
