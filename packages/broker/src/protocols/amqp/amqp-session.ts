// hot path (packages/broker/test/amqp/throughput.mjs)
import type { CommitWaiter } from '../commit-waiters.ts'
import { deliveryLimits } from '../limits.ts'
import type { Connection, Session, SessionContext } from '../session.ts'
import { AmqpError } from './amqp-error.ts'
import { Channels } from './channels.ts'
import type { Client } from './client.ts'
import { FRAME_HEARTBEAT, FRAME_METHOD, FrameReader } from './codec/frame-reader.ts'
import { methodCode } from './codec/hot-methods.ts'
import { readMethod, writeMethod } from './codec/method-codec.ts'
import type { Method } from './codec/methods.ts'
import { Output } from './codec/output.ts'
import { connectedClient } from './connected-client.ts'
import type { DoorState } from './door-state.ts'
import { ConnectionView, type ShownConnection } from './connection-view.ts'
import { Handshake, type Opened } from './handshake.ts'
import { Heartbeats } from './heartbeats.ts'
import { amqpError, withMethod } from './errors.ts'
import { limits } from './limits.ts'
import { Pace } from './pace.ts'

/**
 *     greeting -> login -> open -> failing -> closing -> closed
 *         \         \        \____ leaving ______________/
 *          \_________\__________________________________/
 *
 * `failing`, `leaving`: the broker's `connection.close`, or the answer to the client's, waits for what was published before, and its
 * confirms. `closing`: the broker's was sent, and everything but the answer is passed over. `closed`: the connection was told to close.
 */
type State =
  | { readonly name: 'greeting' }
  | { readonly name: 'login' }
  | { readonly name: 'open'; readonly client: Client }
  | { readonly name: 'leaving'; readonly client: Client }
  | { readonly name: 'failing'; readonly client: Client; readonly error: AmqpError }
  | { readonly name: 'closing'; readonly deadlineMs: number }
  | { readonly name: 'closed' }

const GREETING: Uint8Array = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1)
const CLOSED: State = { name: 'closed' }

/** AMQP 0-9-1, broker side. */
export class AmqpSession implements Session, CommitWaiter, ShownConnection {
  readonly #connection: Connection
  readonly #context: SessionContext
  readonly #door: DoorState
  readonly #reader = new FrameReader()
  readonly #output = new Output()
  readonly #handshake: Handshake
  readonly #heartbeats = new Heartbeats()
  readonly #pace: Pace
  readonly #loginDeadlineMs: number
  /** Above `backlogLowBytes`, so that the connection tells when it goes on. */
  readonly #backlogBytesHigh: number
  #state: State = { name: 'greeting' }
  #channels: Channels | undefined
  #accessVersion = 0
  #flushing = false
  #waitsForCommit = false
  /** Found when bytes come in, or when something was published: publishes would be refused. */
  #lacksRoom = false
  /** What came in and waits for room; undefined unless something does. */
  #held: Uint8Array[] | undefined
  #unregister: (() => void) | undefined
  bytesIn = 0
  bytesOut = 0

  constructor(connection: Connection, context: SessionContext, door: DoorState) {
    this.#connection = connection
    this.#context = context
    this.#door = door
    this.#handshake = new Handshake(context, connection.peer, this.#output, door)
    this.#pace = new Pace(connection, context, (reason) => this.#blocked(reason))
    this.#backlogBytesHigh = Math.max(deliveryLimits.backlogBytesHigh, connection.backlogLowBytes + 1)
    this.#loginDeadlineMs = context.platform.clock.monotonicMs() + limits.loginDeadlineMs
  }

  // ---- Session --------------------------------------------------------------------------------------------------------

  receive(bytes: Uint8Array): void {
    this.#heartbeats.received()
    this.bytesIn += bytes.length
    this.#takeOrHold(bytes)
  }

  tick(monotonicMs: number): void {
    const state = this.#state
    if (state.name === 'closed') return
    if (state.name === 'closing') {
      if (monotonicMs >= state.deadlineMs) this.#close()
      return
    }
    if (state.name === 'greeting' || state.name === 'login') {
      if (monotonicMs >= this.#loginDeadlineMs) this.#close()
      return
    }
    this.#pace.tick(monotonicMs)
    const due = this.#heartbeats.tick(monotonicMs, this.#pace.isPaused)
    // Nobody is there to be told.
    if (due === 'lost') return this.#close()
    if (due === 'send') this.#sendHeartbeat()
    this.#reviewAccess(state.client)
    this.#channels!.tick()
    this.#wake()
  }

  writable(): void {
    this.#wake()
  }

  drain(): void {
    this.close('the broker is shutting down')
  }

  connectionClosed(): void {
    this.#state = CLOSED
    this.#release()
  }

  // ---- ConnectionSide ---------------------------------------------------------------------------------------------------

  /** An operator's. */
  close(reason: string): void {
    const state = this.#state
    if (state.name === 'greeting' || state.name === 'login') return this.#close()
    this.#channels?.forgetWaiting()
    if (state.name === 'open') this.#fail(new AmqpError('connection-forced', reason))
    this.#wake()
  }

  get shownState(): 'running' | 'blocked' | 'closing' {
    if (this.#state.name !== 'open') return 'closing'
    return this.#pace.isToldBlocked ? 'blocked' : 'running'
  }

  // ---- CommitWaiter ---------------------------------------------------------------------------------------------------

  committed(): boolean {
    this.#waitsForCommit = false
    this.#wake()
    return false
  }

  // ---- frames ---------------------------------------------------------------------------------------------------------

  get #reads(): boolean {
    return this.#state.name !== 'closed'
  }

  #takeOrHold(bytes: Uint8Array): void {
    if (this.#held === undefined) this.#take(bytes)
    else this.#held.push(bytes.slice())
  }

  #take(bytes: Uint8Array): void {
    const reader = this.#reader
    this.#lacksRoom = this.#context.broker.shortages.disk
    try {
      reader.feed(bytes)
      if (this.#state.name === 'greeting' && !this.#greet()) return
      while (this.#reads && reader.next()) {
        if (this.#lacksRoom && this.#state.name === 'open' && this.#channels!.needsRoom(reader)) {
          this.#hold(reader.unread())
          break
        }
        this.#frame(reader)
      }
    } catch (error) {
      this.#fail(error)
    }
    this.#endInput()
  }

  /** @returns whether frames follow */
  #greet(): boolean {
    const greeting = this.#reader.greeting()
    if (greeting === undefined) return false
    if (greeting !== '0-9-1') {
      // So clients of other protocols learn what is spoken here.
      if (greeting !== 'tls' && greeting !== 'http') this.#connection.write([GREETING.slice()])
      this.#close()
      return false
    }
    this.#state = { name: 'login' }
    this.#handshake.start()
    this.#wake()
    return true
  }

  #frame(reader: FrameReader): void {
    if (reader.type === FRAME_HEARTBEAT) return
    const { channel } = reader
    if (channel !== 0 && this.#state.name === 'open') return this.#channels!.frame(reader)
    if (channel !== 0) {
      if (this.#state.name === 'login') throw new AmqpError('channel-error', `channel ${channel} before 'connection.open'`)
      return
    }
    if (reader.type !== FRAME_METHOD) throw new AmqpError('unexpected-frame', 'content on channel 0')
    try {
      this.#method(readMethod(reader.bytes, reader.at, reader.end))
    } catch (error) {
      throw withMethod(amqpError(error), methodCode(reader.bytes, reader.at, reader.end))
    }
  }

  #method(method: Method): void {
    const state = this.#state
    switch (state.name) {
      case 'login':
        return this.#logIn(method)
      case 'open':
        return this.#serve(method, state.client)
      case 'failing':
        // Both want to end it: the client gets its answer.
        if (method.name === 'connection.close') this.#leave(state.client)
        return
      case 'closing':
        if (method.name === 'connection.close') {
          writeMethod(this.#output, 0, 'connection.close-ok', {})
          this.#close()
        } else if (method.name === 'connection.close-ok') this.#close()
        return
      case 'greeting':
      case 'leaving':
      case 'closed':
    }
  }

  #logIn(method: Method): void {
    if (method.name === 'connection.close') {
      writeMethod(this.#output, 0, 'connection.close-ok', {})
      return this.#close()
    }
    const opened = this.#handshake.take(method)
    this.#wake()
    if (opened !== undefined) this.#open(opened)
  }

  #open(opened: Opened): void {
    const { clock } = this.#context.platform
    const client = connectedClient(opened, this.#context, this.#door, this.#output, {
      knowsCancel: this.#handshake.knows('consumer_cancel_notify'),
      backlogBytes: () => this.#connection.backlogBytes + this.#output.bytes,
      wake: () => this.#wake(),
      awaitCommit: () => this.#awaitCommit(),
      awaitRoom: () => {
        this.#lacksRoom = true
        this.#hold()
      },
    })
    this.#reader.payloadBytesMax = opened.frameBytesMax
    this.#heartbeats.start(opened.heartbeatSeconds)
    this.#heartbeats.tick(clock.monotonicMs(), true)
    this.#accessVersion = this.#context.security.version
    this.#channels = new Channels(client, opened.channelsMax)
    const view = new ConnectionView(opened, this.#connection.peer, clock.nowMs(), this.#channels, this)
    this.#unregister = this.#door.administration.directory.register(view)
    this.#state = { name: 'open', client }
    writeMethod(this.#output, 0, 'connection.open-ok', {})
  }

  #serve(method: Method, client: Client): void {
    switch (method.name) {
      case 'connection.close':
        // What was published before it counts, also when there is no room for it yet.
        this.#channels!.endInput()
        return this.#held === undefined ? this.#leave(client) : this.#hold(this.#reader.unread())
      case 'connection.update-secret':
        // What is proved by a secret here counts as long as the connection.
        writeMethod(this.#output, 0, 'connection.update-secret-ok', {})
        return this.#wake()
      case 'connection.close-ok':
        return
      default:
        throw new AmqpError('command-invalid', `'${method.name}' is not expected now`)
    }
  }

  // ---- end ------------------------------------------------------------------------------------------------------------

  #leave(client: Client): void {
    this.#state = { name: 'leaving', client }
    this.#channels!.stop()
    this.#wake()
  }

  #fail(thrown: unknown): void {
    const error = amqpError(thrown)
    const state = this.#state
    switch (state.name) {
      case 'open':
        this.#state = { name: 'failing', client: state.client, error: this.#endedBy() ?? error }
        this.#channels!.stop()
        return this.#wake()
      case 'login': {
        const isRefusal = error.reply === 'access-refused' && !this.#handshake.isToldOfRefusal
        if (!isRefusal) this.#tellError(error)
        return this.#close()
      }
      case 'greeting':
      case 'leaving':
      case 'failing':
      case 'closing':
        return this.#close()
      case 'closed':
    }
  }

  /** What came in before an error counts, on every channel. @returns the error of it, which is the earlier one */
  #endedBy(): AmqpError | undefined {
    try {
      this.#channels!.endInput()
      return undefined
    } catch (error) {
      return amqpError(error)
    }
  }

  #tellError(error: AmqpError): void {
    writeMethod(this.#output, 0, 'connection.close', {
      replyCode: error.code,
      replyText: error.replyText,
      classId: error.classId,
      methodId: error.methodId,
    })
  }

  // ---- turns ----------------------------------------------------------------------------------------------------------

  /** Publishes and settles what came in, and looks whether that was too much. */
  #endInput(): void {
    const state = this.#state
    const channels = this.#channels
    if (channels === undefined || state.name === 'closed' || state.name === 'closing') return
    try {
      channels.endInput()
    } catch (error) {
      this.#fail(error)
    }
    const bytes = channels.takePublishedBytes()
    if (bytes > 0 && 'client' in state) this.#pace.published(state.client.principal, bytes)
    this.#pace.answersWait(channels.isFull)
    this.#wake()
  }

  #wake(): void {
    if (this.#flushing || this.#state.name === 'closed') return
    this.#flushing = true
    this.#context.platform.scheduler.endOfTurn(this.#flush)
  }

  #awaitCommit(): void {
    this.#wake()
    this.#enlist()
  }

  /** Without a flush before the commit: it would find nothing, over and over. */
  #enlist(): void {
    if (this.#waitsForCommit) return
    this.#waitsForCommit = true
    this.#context.commits.enlist(this)
  }

  /** Once per turn: what became durable, what can be delivered, one write. */
  readonly #flush = (): void => {
    this.#flushing = false
    const state = this.#state
    const channels = this.#channels
    if (state.name === 'closed') return
    if (channels !== undefined && state.name !== 'closing') {
      try {
        channels.tell(this.#context.broker.committedTicket)
        this.#pace.answersWait(channels.isFull)
        if (state.name === 'open') channels.feed(this.#backlogBytesHigh - this.#connection.backlogBytes)
      } catch (error) {
        this.#fail(error)
      }
      if (channels.waiting) this.#enlist()
    }
    this.#end()
    this.#write()
    channels?.wrote()
  }

  /** What waited for publishes and their confirms, once they are told. */
  #end(): void {
    const state = this.#state
    if (state.name !== 'failing' && state.name !== 'leaving') return
    const channels = this.#channels!
    if (channels.waiting || channels.isWaitingForRoom) return
    channels.close()
    if (state.name === 'leaving') {
      writeMethod(this.#output, 0, 'connection.close-ok', {})
      return this.#close()
    }
    this.#tellError(state.error)
    this.#state = { name: 'closing', deadlineMs: this.#context.platform.clock.monotonicMs() + limits.closeOkMs }
  }

  #write(): void {
    if (this.#output.bytes === 0) return
    this.#heartbeats.sent()
    this.bytesOut += this.#output.bytes
    this.#connection.write(this.#output.take())
  }

  #close(): void {
    if (this.#state.name === 'closed') return
    this.#state = CLOSED
    this.#write()
    this.#release()
    this.#connection.close()
  }

  #release(): void {
    this.#pace.close()
    this.#channels?.close()
    this.#unregister?.()
    this.#unregister = undefined
  }

  // ---- now and then ---------------------------------------------------------------------------------------------------

  #sendHeartbeat(): void {
    this.#output.begin(FRAME_HEARTBEAT, 0)
    this.#output.end()
  }

  /** Publishes are neither refused nor lost for want of room: they wait, and with them all that the client sent behind them. */
  #hold(bytes?: Uint8Array): void {
    this.#held ??= []
    if (bytes !== undefined) this.#held.push(bytes)
    this.#pace.awaitRoom()
  }

  /** Takes what was held; some of it may have to wait again. */
  readonly #goOn = (): void => {
    const held = this.#held
    if (held === undefined || this.#state.name === 'closed') return
    this.#held = undefined
    this.#endInput()
    for (const bytes of held) this.#takeOrHold(bytes)
  }

  /** @param reason undefined: no longer */
  #blocked(reason: string | undefined): void {
    this.#tellBlocked(reason)
    // Not now: what is told of may be in the middle of a commit.
    if (reason === undefined && this.#held !== undefined) this.#context.platform.scheduler.endOfTurn(this.#goOn)
  }

  #tellBlocked(reason: string | undefined): void {
    if (this.#state.name !== 'open' || !this.#handshake.knows('connection.blocked')) return
    if (reason === undefined) writeMethod(this.#output, 0, 'connection.unblocked', {})
    else writeMethod(this.#output, 0, 'connection.blocked', { reason })
    this.#wake()
  }

  /** After users or rules have changed. */
  #reviewAccess(client: Client): void {
    const { security } = this.#context
    if (security.version === this.#accessVersion) return
    this.#accessVersion = security.version
    if (!security.knows(client.principal.user)) {
      this.#channels!.forgetWaiting()
      return this.#fail(new AmqpError('connection-forced', `there is no user '${client.principal.user}' any more`))
    }
    this.#channels!.reviewAccess()
  }
}
