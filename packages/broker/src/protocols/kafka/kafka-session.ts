// hot path (packages/broker/test/kafka/throughput.mjs)
import { FrameReader, ProtocolError } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Timer } from '../../ports/platform.ts'
import type { CommitWaiter } from '../commit-waiters.ts'
import type { Connection, Principal, Session, SessionContext } from '../session.ts'
import { MessageFormatError, MessageReader } from './codec/message-reader.ts'
import { errors, KafkaError } from './errors.ts'
import type { FetchSession } from './fetch/fetch-session.ts'
import { limits } from './limits.ts'
import { Login } from './login/login.ts'
import { saslAuthenticateApi } from './login/sasl-apis.ts'
import { BareReply, type PendingReply, Replies } from './replies.ts'
import { readClientId, readRequestHeader, type RequestHeader } from './request-header.ts'
import { metered } from './throttling.ts'
import {
  type Answer,
  type Attached,
  type Client,
  Durable,
  type HostPort,
  Lent,
  type Reply,
  type ServedApi,
  type Wait,
} from './served-api.ts'

const SASL_HANDSHAKE = 17
const API_VERSIONS = 18
const SASL_AUTHENTICATE = 36

/** `draining`: what was asked is still answered, nothing more is read. `closing`: the connection was told to close. */
type State = 'open' | 'draining' | 'closing'

/**
 * The Kafka protocol, broker side. Requests take effect in the order in which they come, also while earlier ones wait for
 * their commit; responses leave in the same order.
 */
export class KafkaSession implements Session, CommitWaiter, Client {
  readonly context: SessionContext
  readonly address: HostPort
  readonly broker: SessionContext['broker']
  readonly login: Login
  principal: Principal
  fetchSession: FetchSession | undefined
  readonly waits: Set<Wait> = new Set()
  readonly attached: Set<Attached> = new Set()
  readonly #connection: Connection
  readonly #apis: ReadonlyMap<number, ServedApi>
  readonly #reader: FrameReader
  readonly #loginDeadlineMs: number
  readonly #replies = new Replies()
  /** Requests that came in while others had to be answered first: copies. */
  readonly #waiting: Uint8Array[] = []
  #state: State = 'open'
  #paused = false
  #stopRelief: (() => void) | undefined
  #throttle: Timer | undefined
  #throttledUntilMs = 0
  /** What it took to write responses, which the next request is charged for. */
  #writingMs = 0
  #flushing = false
  #waitsForCommit = false
  #received = true
  #receivedMs = 0

  constructor(
    connection: Connection,
    context: SessionContext,
    apis: ReadonlyMap<number, ServedApi>,
    address: HostPort,
    lifetimeMs: number,
  ) {
    this.#connection = connection
    this.context = context
    this.broker = context.broker
    this.#apis = apis
    this.address = address
    this.principal = { user: 'anonymous', peer: connection.peer }
    const { batchBytesMax } = context.broker.limits
    const requestBytesMax = Math.max(limits.requestBytesMin, batchBytesMax + limits.requestOverheadBytes)
    const onKnown = (user: string): void => {
      this.principal = { ...this.principal, user }
      this.#reader.frameBytesMax = requestBytesMax
    }
    const { clock } = context.platform
    this.login = new Login(context.security, connection.peer, clock, { lifetimeMs, onKnown })
    this.#reader = new FrameReader(this.login.isSettled ? requestBytesMax : limits.loginRequestBytesMax, true)
    this.#loginDeadlineMs = clock.monotonicMs() + limits.loginDeadlineMs
  }

  // ---- Session --------------------------------------------------------------------------------------------------------

  receive(bytes: Uint8Array): void {
    this.#received = true
    const reader = this.#reader
    try {
      reader.feed(bytes)
      while (this.#state === 'open' && reader.next()) {
        if (this.#waiting.length > 0 || this.#isBusy) this.#waiting.push(reader.bytes.slice(reader.start, reader.end))
        else this.#handle(new MessageReader(reader.bytes, reader.start, reader.end))
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#close()
    }
    this.#pace()
  }

  tick(monotonicMs: number): void {
    if (this.#received || this.#replies.length > 0 || this.#paused) this.#receivedMs = monotonicMs
    this.#received = false
    const isLate = monotonicMs >= this.#loginDeadlineMs && !this.login.isSettled
    if (isLate || !this.login.review() || monotonicMs - this.#receivedMs >= limits.idleMs) this.#close()
  }

  writable(): void {
    this.#wake()
  }

  drain(): void {
    if (this.#state !== 'open') return
    this.#state = 'draining'
    this.#waiting.length = 0
    for (const wait of this.waits) wait.end()
    this.#wake()
  }

  connectionClosed(): void {
    this.#state = 'closing'
    this.#release()
  }

  // ---- CommitWaiter ---------------------------------------------------------------------------------------------------

  committed(): boolean {
    this.#waitsForCommit = false
    this.#wake()
    return false
  }

  // ---- requests -------------------------------------------------------------------------------------------------------

  #handle(reader: MessageReader): void {
    try {
      if (this.login.expectsBareMessage) return this.#prove(reader)
      const header = readRequestHeader(reader)
      const api = this.#apis.get(header.key)
      if (api === undefined || !this.login.admits(header.key)) return this.#close()
      const { codec } = api
      if (header.version < codec.min || header.version > codec.max) return this.#refuseVersion(api, header)
      const clientId = readClientId(reader, codec.isFlexible(header.version))
      if (clientId !== null && clientId !== this.principal.clientId) this.principal = { ...this.principal, clientId }
      const { clock } = this.context.platform
      const startMs = clock.monotonicMs()
      const request = codec.readRequest(reader, header.version)
      const reply = api.handle(request, header.version, this)
      // Who logs in is not known yet.
      if (isLogin(header.key)) return this.#answer(api, header, reply)
      const spentMs = clock.monotonicMs() - startMs + this.#writingMs
      this.#writingMs = 0
      this.#answer(api, header, metered(this, spentMs, reply))
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#close()
    }
  }

  /** @throws KafkaError */
  #prove(reader: MessageReader): void {
    const { challenge } = this.login.prove(reader.bytes.subarray(reader.at, reader.end))
    this.#answered(this.#replies.add(saslAuthenticateApi, 0, 0), new BareReply(challenge))
  }

  #answer(api: ServedApi, { version, correlationId }: RequestHeader, reply: Reply<object>): void {
    if (reply === undefined) return
    if (reply === 'close') return this.#close()
    const pending = this.#replies.add(api, version, correlationId)
    if (reply instanceof Promise) void this.#answerLater(pending, reply)
    else this.#answered(pending, reply)
  }

  async #answerLater(pending: PendingReply, reply: Promise<Answer<object>>): Promise<void> {
    try {
      this.#answered(pending, await reply)
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#close()
    }
  }

  #answered(pending: PendingReply, reply: Answer<object>): void {
    // Nobody is left who would be told.
    if (this.#state === 'closing') return reply instanceof Lent ? reply.lease.release() : undefined
    if (reply instanceof Durable) {
      pending.ticket = reply.ticket
      pending.response = reply.response
    } else if (reply instanceof Lent) {
      pending.lease = reply.lease
      pending.response = reply.response
    } else pending.response = reply
    this.#wake()
  }

  /** Whoever asks for the versions in one that is not known is answered in the first, with those that are. Kafka ends the connection otherwise. */
  #refuseVersion(api: ServedApi, { version, correlationId }: RequestHeader): void {
    if (api.codec.key !== API_VERSIONS || version < 0) return this.#close()
    const reply = api.handle({}, 0, this) as object
    this.#answer(api, { key: API_VERSIONS, version: 0, correlationId }, { ...reply, errorCode: errors.UNSUPPORTED_VERSION })
  }

  /** By KIP-219: what was asked for is answered, and nothing more is taken up for a while, the longest that was said. */
  throttle(ms: number): void {
    const { clock, scheduler } = this.context.platform
    const untilMs = clock.monotonicMs() + ms
    if (this.#throttle !== undefined && untilMs <= this.#throttledUntilMs) return
    this.#throttledUntilMs = untilMs
    this.#throttle?.cancel()
    this.#throttle = scheduler.after(ms, () => {
      this.#throttle = undefined
      this.#proceed()
    })
  }

  // ---- pace -----------------------------------------------------------------------------------------------------------

  /** Whether nothing more is to be taken up for now. */
  get #isBusy(): boolean {
    return (
      this.#throttle !== undefined ||
      this.#replies.length >= limits.requestsMax ||
      this.#replies.fetches >= limits.fetchesMax ||
      this.#connection.backlogBytes >= limits.backlogBytesHigh ||
      this.broker.congested
    )
  }

  /** Stops reading while there is too much to do. */
  #pace(): void {
    if (this.#paused || this.#state !== 'open' || (this.#waiting.length === 0 && !this.#isBusy)) return
    this.#paused = true
    this.#connection.pause()
    this.#stopRelief = this.broker.onRelief(() => this.#proceed())
  }

  /** Goes on with what waits, and with reading. */
  #proceed(): void {
    if (!this.#paused || this.#state !== 'open') return
    let done = 0
    while (done < this.#waiting.length && !this.#isBusy && this.#isOpen) this.#handle(new MessageReader(this.#waiting[done++]!))
    this.#waiting.splice(0, done)
    if (this.#waiting.length > 0 || this.#isBusy || !this.#isOpen) return
    this.#paused = false
    this.#stopRelief?.()
    this.#stopRelief = undefined
    this.#connection.resume()
  }

  /** Requests change the state. */
  get #isOpen(): boolean {
    return this.#state === 'open'
  }

  // ---- turns ----------------------------------------------------------------------------------------------------------

  #wake(): void {
    if (this.#flushing || this.#state === 'closing') return
    this.#flushing = true
    this.context.platform.scheduler.endOfTurn(this.#flush)
  }

  /** Once per turn: sends what may be sent. */
  readonly #flush = (): void => {
    this.#flushing = false
    if (this.#state === 'closing') return
    const committed = this.broker.committedTicket
    const startMs = this.context.platform.clock.monotonicMs()
    while (this.#connection.backlogBytes < limits.backlogBytesHigh) {
      if (!this.#replies.sendNext(committed, this.#connection)) break
    }
    this.#writingMs += this.context.platform.clock.monotonicMs() - startMs
    if (this.#replies.nextTicket !== undefined && !this.#waitsForCommit) {
      this.#waitsForCommit = true
      this.context.commits.enlist(this)
    }
    if (this.#state === 'draining' && this.#replies.length === 0) return this.#close()
    this.#proceed()
  }

  #close(): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#release()
    this.#connection.close()
  }

  #release(): void {
    this.#throttle?.cancel()
    this.#throttle = undefined
    this.#stopRelief?.()
    this.#stopRelief = undefined
    this.#waiting.length = 0
    this.#replies.clear()
    for (const wait of this.waits) wait.end()
    for (const each of this.attached) each.close()
    this.fetchSession = undefined
  }
}

function isLogin(key: number): boolean {
  return key === SASL_HANDSHAKE || key === API_VERSIONS || key === SASL_AUTHENTICATE
}

function isExpected(error: unknown): boolean {
  return error instanceof MessageFormatError || error instanceof KafkaError || error instanceof MillraceError
}
