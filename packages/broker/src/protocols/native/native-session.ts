// hot path (bench/src/native.ts)
import {
  type Frame,
  FrameReader,
  frameSchemas,
  FrameWriter,
  NATIVE_VERSION,
  ProtocolError,
  readFrame,
  writeFrame,
} from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { runOperation } from '../api/operations.ts'
import { destinationResource } from '../destination-resource.ts'
import type { CommitWaiter, Ticket } from '../commit-waiters.ts'
import { holdsPublishers } from '../held-publishers.ts'
import { keyCheck } from '../key-check.ts'
import { deliveryLimits } from '../limits.ts'
import type { Connection, Principal, Session, SessionContext } from '../session.ts'
import { Consuming } from './consuming.ts'
import { Greeting, OTHER_PORT_HINT } from './greeting.ts'
import { limits } from './limits.ts'
import { type PublishAccess, Publishing, reason } from './publishing.ts'
import { Transacting } from './transacting.ts'

/**
 * awaiting-hello -> ready -> draining -> closing
 *                \________\____________/
 * `closing`: the connection was told to close; everything that still comes is ignored.
 */
type State =
  | { readonly name: 'awaiting-hello'; readonly deadlineMs: number }
  | { readonly name: 'ready' | 'draining'; readonly principal: Principal }
  | { readonly name: 'closing' }

const PUBLISH: number = frameSchemas.publish.opcode
const PUBLISH_LATER: number = frameSchemas.publishLater.opcode
const TRANSACT: number = frameSchemas.transact.opcode
const SETTLE: number = frameSchemas.settle.opcode
const CLOSING: State = { name: 'closing' }

/** The native protocol, broker side: docs/formats/native-protocol.md. */
export class NativeSession implements Session, CommitWaiter {
  readonly #connection: Connection
  readonly #context: SessionContext
  readonly #reader = new FrameReader(limits.helloBytesMax, true)
  readonly #writer = new FrameWriter()
  readonly #publishing: Publishing
  readonly #consuming: Consuming
  readonly #transacting: Transacting
  readonly #greeting: Greeting
  /** From here on nothing is delivered. Above `backlogLowBytes`, so that the connection tells when it goes on. */
  readonly #backlogBytesHigh: number
  #state: State
  /** Of `Security`, when it was last asked whether what is open may stay open. */
  #accessVersion = 0
  #calls = 0
  /** Since the last `#published`. */
  #publishedBytes = 0
  #flushing = false
  #waitsForCommit = false
  /** Stops listening for relief; set while the connection is paused. */
  #unpause: (() => void) | undefined

  // Set by traffic, looked at by `tick`: the clock is not read per frame.
  #received = false
  #sent = false
  #receivedMs: number
  #sentMs: number

  constructor(connection: Connection, context: SessionContext) {
    this.#connection = connection
    this.#context = context
    this.#backlogBytesHigh = Math.max(deliveryLimits.backlogBytesHigh, connection.backlogLowBytes + 1)
    this.#publishing = new Publishing(context.broker, this.#writer)
    this.#consuming = new Consuming(context.broker, this.#writer, () => this.#wake())
    this.#transacting = new Transacting(context.broker, this.#writer, (number) => this.#consuming.consumerOf(number))
    this.#greeting = new Greeting(context.security, connection.peer)
    const nowMs = context.platform.clock.monotonicMs()
    this.#receivedMs = this.#sentMs = nowMs
    this.#state = { name: 'awaiting-hello', deadlineMs: nowMs + limits.helloDeadlineMs }
  }

  // ---- Session --------------------------------------------------------------------------------------------------------

  receive(bytes: Uint8Array): void {
    this.#received = true
    const reader = this.#reader
    try {
      reader.feed(bytes)
      while (this.#state.name !== 'closing' && reader.next()) {
        const opcode = reader.bytes[reader.start]!
        if (this.#state.name === 'awaiting-hello') this.#hello(reader)
        else if (opcode === PUBLISH) {
          this.#publishedBytes += reader.end - reader.start
          this.#publishing.publish(reader)
        } else if (opcode === SETTLE) this.#consuming.settle(reader)
        else {
          if (opcode === PUBLISH_LATER || opcode === TRANSACT) this.#publishedBytes += reader.end - reader.start
          this.#control(readFrame(reader.bytes, reader.view, reader.start, reader.end), this.#state.principal)
        }
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#goodbye(error.code, this.#greeting.isOurs ? error.message : `${error.message} ${OTHER_PORT_HINT}`)
    }
    if (this.#publishing.waiting || this.#transacting.waiting) this.#published()
    if (this.#consuming.waiting) this.#enlist()
  }

  tick(monotonicMs: number): void {
    // A paused connection cannot be heard.
    if (this.#received || this.#unpause !== undefined) this.#receivedMs = monotonicMs
    if (this.#sent) this.#sentMs = monotonicMs
    else this.#writer.release()
    this.#received = this.#sent = false
    const state = this.#state
    switch (state.name) {
      case 'awaiting-hello':
        if (monotonicMs >= state.deadlineMs) this.#goodbye('timeout', `No hello within ${limits.helloDeadlineMs} ms.`)
        return
      case 'ready':
      case 'draining':
        if (monotonicMs - this.#receivedMs >= 2 * limits.heartbeatMs) {
          return this.#goodbye('timeout', `Nothing was heard for ${2 * limits.heartbeatMs} ms.`)
        }
        this.#publishing.tellGrowth()
        if (this.#context.security.version !== this.#accessVersion && !this.#reviewAccess(state.principal)) return
        if (monotonicMs - this.#sentMs >= limits.heartbeatMs) writeFrame(this.#writer, 'ping', {})
        return this.#wake()
      case 'closing':
    }
  }

  writable(): void {
    this.#wake()
  }

  drain(): void {
    const state = this.#state
    if (state.name === 'awaiting-hello') return this.#goodbye('draining', 'The broker is shutting down.')
    if (state.name !== 'ready') return
    this.#state = { name: 'draining', principal: state.principal }
    this.#consuming.stop()
    this.#wake()
  }

  connectionClosed(): void {
    this.#state = CLOSING
    this.#unpause?.()
    this.#unpause = undefined
    this.#consuming.close()
  }

  // ---- CommitWaiter ---------------------------------------------------------------------------------------------------

  committed(): boolean {
    this.#wake()
    this.#waitsForCommit = false
    return false
  }

  // ---- frames ---------------------------------------------------------------------------------------------------------

  #hello(reader: FrameReader): void {
    const { broker, identity, security } = this.#context
    let proof: string | undefined
    try {
      const progress = this.#greeting.take(readFrame(reader.bytes, reader.view, reader.start, reader.end))
      if ('challenge' in progress) {
        writeFrame(this.#writer, 'challenge', { sasl: { message: progress.challenge } })
        return this.#wake()
      }
      this.#accessVersion = security.version
      this.#state = { name: 'ready', principal: progress.principal }
      proof = progress.proof
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      return this.#goodbye(error.code, error.message)
    }
    const { batchBytesMax } = broker.limits
    const frameBytesMax = batchBytesMax + limits.frameOverheadBytesMax
    reader.frameBytesMax = frameBytesMax
    writeFrame(this.#writer, 'welcome', {
      version: NATIVE_VERSION,
      facts: {
        ...identity,
        heartbeatMs: limits.heartbeatMs,
        frameBytesMax,
        batchBytesMax,
        ...(proof === undefined ? {} : { proof }),
      },
    })
    this.#wake()
  }

  /** After users or rules have changed. @returns whether the session goes on */
  #reviewAccess(principal: Principal): boolean {
    const context = this.#context
    const { security } = context
    this.#accessVersion = security.version
    if (!security.knows(principal.user)) {
      this.#goodbye('unauthorized', `There is no user ${JSON.stringify(principal.user)} any more.`)
      return false
    }
    this.#publishing.review(this.#publishAccess(principal).authorize)
    this.#consuming.review((mode, source) => context.authorize(principal, mode, source))
    return true
  }

  #publishAccess(principal: Principal): PublishAccess {
    const context = this.#context
    return {
      authorize: (destination) => context.authorize(principal, 'publish', destinationResource(destination)),
      checkKey: keyCheck(context, principal),
    }
  }

  #control(frame: Frame, principal: Principal): void {
    const context = this.#context
    switch (frame.name) {
      case 'grant':
        return this.#consuming.grant(frame.consumer, frame.messages)
      case 'ping':
        writeFrame(this.#writer, 'pong', {})
        return this.#wake()
      case 'pong':
        return
      case 'open':
        this.#publishing.open(frame.publisher, frame.destination, frame.create !== 0, this.#publishAccess(principal))
        return this.#wake()
      case 'publishLater':
        return this.#publishing.publishLater(frame)
      case 'release':
        return this.#publishing.release(frame.publisher)
      case 'consume':
        this.#consuming.consume(frame.consumer, frame.options, ({ mode, source }) => context.authorize(principal, mode, source))
        return this.#wake()
      case 'revoke':
        this.#consuming.revoke(frame.consumer)
        return this.#wake()
      case 'leave':
        this.#consuming.leave(frame.consumer)
        return this.#wake()
      case 'transact':
        this.#transacting.transact(frame.transaction, frame.request, frame.batches, this.#publishAccess(principal))
        return this.#wake()
      case 'call':
        return this.#call(frame.call, frame.method, frame.params, principal)
      case 'goodbye':
        return this.#close()
      case 'hello':
      case 'response':
        throw new ProtocolError(`A \`${frame.name}\` after \`welcome\`.`)
      case 'publish':
      case 'settle':
      case 'welcome':
      case 'challenge':
      case 'reply':
      case 'failure':
      case 'opened':
      case 'confirm':
      case 'refused':
      case 'duplicates':
      case 'placed':
      case 'openFailed':
      case 'consuming':
      case 'deliver':
      case 'settled':
      case 'settleFailed':
      case 'ended':
      case 'passed':
      case 'caughtUp':
      case 'revoked':
      case 'transacted':
      case 'transactFailed':
        throw new ProtocolError(`\`${frame.name}\` is not for clients to send.`)
    }
  }

  #call(call: number, method: string, params: unknown, principal: Principal): void {
    if (this.#calls >= limits.callsMax) {
      this.#answerFailure(
        call,
        new MillraceError('overloaded', `${limits.callsMax} calls are running on this connection; wait for one.`),
      )
      return
    }
    this.#calls++
    void this.#run(call, method, params, principal)
  }

  async #run(call: number, method: string, params: unknown, principal: Principal): Promise<void> {
    try {
      const result = await runOperation(this.#context, principal, method, params)
      if (this.#state.name === 'closing') return
      writeFrame(this.#writer, 'reply', { call, result: result as Record<string, unknown> })
      this.#wake()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#answerFailure(call, error)
    } finally {
      this.#calls--
    }
  }

  #answerFailure(call: number, error: MillraceError): void {
    if (this.#state.name === 'closing') return
    writeFrame(this.#writer, 'failure', { call, reason: reason(error) })
    this.#wake()
  }

  // ---- turns ----------------------------------------------------------------------------------------------------------

  /** After publishes came in: wait for their commit, and stop reading while the broker has too much to write. */
  #published(): void {
    this.#enlist()
    this.#chargeQuota()
    const { broker } = this.#context
    if (!holdsPublishers(broker) || this.#unpause !== undefined || this.#state.name === 'closing') return
    this.#connection.pause()
    const stop = broker.onRelief(() => {
      if (this.#unpause === undefined || holdsPublishers(broker)) return
      this.#unpause()
      this.#unpause = undefined
      this.#connection.resume()
    })
    this.#unpause = stop
  }

  /** Who is faster than its quota is not read from for a while. */
  #chargeQuota(): void {
    const state = this.#state
    const bytes = this.#publishedBytes
    this.#publishedBytes = 0
    if (state.name !== 'ready' && state.name !== 'draining') return
    const { broker, platform } = this.#context
    const { user, clientId = '' } = state.principal
    const waitMs = broker.quotas.charge(user, clientId, 'publish', bytes)
    if (waitMs === 0 || this.#unpause !== undefined) return
    this.#connection.pause()
    const timer = platform.scheduler.after(waitMs, () => {
      this.#unpause = undefined
      this.#connection.resume()
    })
    this.#unpause = () => timer.cancel()
  }

  #enlist(): void {
    // What was refused needs no commit and is told now.
    this.#wake()
    if (this.#waitsForCommit) return
    this.#waitsForCommit = true
    this.#context.commits.enlist(this)
  }

  #wake(): void {
    if (this.#flushing || this.#state.name === 'closing') return
    this.#flushing = true
    this.#context.platform.scheduler.endOfTurn(this.#flush)
  }

  /** Once per turn: what became durable, what can be delivered, one write. */
  readonly #flush = (): void => {
    this.#flushing = false
    if (this.#state.name === 'closing') return
    const committed: Ticket = this.#context.broker.committedTicket
    this.#publishing.confirm(committed)
    this.#consuming.confirm(committed)
    this.#transacting.confirm(committed)
    if (this.#owes) {
      if (!this.#waitsForCommit) {
        this.#waitsForCommit = true
        this.#context.commits.enlist(this)
      }
    }
    this.#consuming.feed(this.#backlogBytesHigh - this.#connection.backlogBytes)
    this.#write()
    if (this.#consuming.hungry && this.#connection.backlogBytes < this.#backlogBytesHigh) this.#wake()
    if (this.#state.name === 'draining' && !this.#owes) {
      this.#goodbye('draining', 'The broker is shutting down; connect again later.')
    }
  }

  /** Whether the client waits for something to become durable. */
  get #owes(): boolean {
    return this.#publishing.waiting || this.#consuming.waiting || this.#transacting.waiting
  }

  #write(): void {
    if (this.#writer.bytes === 0) return
    this.#sent = true
    this.#connection.write(this.#writer.take())
  }

  #goodbye(code: string, message: string): void {
    if (this.#state.name === 'closing') return
    writeFrame(this.#writer, 'goodbye', { reason: { code, message } })
    this.#close()
  }

  #close(): void {
    if (this.#state.name === 'closing') return
    this.#state = CLOSING
    this.#write()
    this.#connection.close()
  }
}
