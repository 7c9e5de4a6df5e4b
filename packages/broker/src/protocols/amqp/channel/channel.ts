// hot path (packages/broker/test/amqp/throughput.mjs)
import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { AmqpChannel } from '../directory.ts'
import { FRAME_BODY, FRAME_HEADER } from '../codec/frame-reader.ts'
import {
  BASIC_ACK,
  BASIC_NACK,
  BASIC_PUBLISH,
  BASIC_REJECT,
  methodCode,
  SettleMethod,
  writeAck,
  writeNack,
} from '../codec/hot-methods.ts'
import { readMethod, writeMethod } from '../codec/method-codec.ts'
import type { MethodName, WrittenArguments } from '../codec/methods.ts'
import { Bindings } from '../definitions/bindings.ts'
import { Exchanges } from '../definitions/exchanges.ts'
import { Queues } from '../definitions/queues.ts'
import { limits } from '../limits.ts'
import { Answers } from './answers.ts'
import type { ConfirmWriter } from './confirms.ts'
import { Consuming } from './consuming.ts'
import { Getting } from './getting.ts'
import { Methods } from './methods.ts'
import { Publishing } from './publishing.ts'
import { Settling } from './settling.ts'

/**
 *     open -> failing -> closing -> closed
 *         \_ leaving ______________/
 *          \_ stopped ____________/
 *
 * `failing`, `leaving`: the broker's `channel.close`, or the answer to the client's, waits for what was published before, and its
 * confirms. `closing`: the broker's was sent; what comes before the answer is passed over. `stopped`: it ends with its connection, without a word.
 */
type State =
  | { readonly name: 'open' | 'leaving' | 'stopped' | 'closing' | 'closed' }
  | { readonly name: 'failing'; readonly error: AmqpError }

/** One channel of a connection. */
export class Channel implements ConfirmWriter {
  readonly number: number
  readonly publishing: Publishing
  readonly settling: Settling = new Settling()
  readonly consuming: Consuming
  readonly getting: Getting
  readonly answers: Answers = new Answers()
  readonly #client: Client
  readonly #queues: Queues
  readonly #methods: Methods
  readonly #settle = new SettleMethod()
  #state: State = { name: 'open' }

  constructor(client: Client, number: number) {
    this.#client = client
    this.number = number
    this.#queues = new Queues(client)
    const exchanges = new Exchanges(client)
    const bindings = new Bindings(client, this.#queues, exchanges)
    this.publishing = new Publishing(client, number)
    this.consuming = new Consuming(client, number, this.#queues, this.settling, this.answers)
    this.getting = new Getting(client, number, this.#queues, this.answers, this.consuming)
    this.publishing.replyToken = () => this.consuming.replyToken
    this.#methods = new Methods(this, client, { queues: this.#queues, exchanges, bindings })
  }

  get state(): State['name'] {
    return this.#state.name
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  /** @throws AmqpError of the channel or the connection */
  frame(type: number, bytes: Uint8Array, at: number, end: number): void {
    if (this.#state.name !== 'open') return this.#passOver(type, bytes, at, end)
    if (type === FRAME_HEADER) return this.publishing.header(bytes, at, end)
    if (type === FRAME_BODY) return this.publishing.body(bytes, at, end)
    if (this.publishing.content.isExpected) throw new AmqpError('unexpected-frame', 'expected content, got a method')
    const code = methodCode(bytes, at, end)
    if (code === BASIC_PUBLISH) return this.publishing.method(bytes, at, end)
    if (code === BASIC_ACK || code === BASIC_NACK || code === BASIC_REJECT) {
      this.#settle.read(code, bytes, at, end)
      return this.settling.settle(this.#settle)
    }
    this.endInput()
    this.#methods.handle(readMethod(bytes, at, end))
  }

  /** Nothing counts any more but the end. */
  #passOver(type: number, bytes: Uint8Array, at: number, end: number): void {
    if (type === FRAME_HEADER || type === FRAME_BODY) return
    const code = methodCode(bytes, at, end)
    if (code === CHANNEL_CLOSE && this.#state.name === 'failing') return this.leave()
    if (code === CHANNEL_CLOSE && this.#state.name === 'closing') return this.send('channel.close-ok', {})
    if (code === CHANNEL_CLOSE_OK && this.#state.name === 'closing') this.#state = { name: 'closed' }
  }

  /** What was gathered takes effect. @throws AmqpError */
  endInput(): void {
    this.publishing.endInput()
    this.settling.flush()
  }

  /** Whether a method, while the disk has no room, should wait: what publishes does. */
  needsRoom(code: number): boolean {
    if (this.#state.name !== 'open') return false
    return code === BASIC_PUBLISH || (code === TX_COMMIT && this.publishing.publishesAtCommit)
  }

  // ---- end ----------------------------------------------------------------------------------------------------------------

  /** The client closes it. */
  leave(): void {
    this.#state = { name: 'leaving' }
    this.#release()
  }

  /** @param error of the channel */
  fail(error: AmqpError): void {
    if (this.#state.name !== 'open') return
    this.#state = { name: 'failing', error }
    this.#release()
  }

  /** The connection ends: nothing more is delivered. What was published before is still confirmed. */
  stop(): void {
    if (this.#state.name === 'open') this.#state = { name: 'stopped' }
    this.#release()
  }

  /** What is held goes back. */
  #release(): void {
    this.settling.flush()
    this.consuming.close()
    this.getting.close()
    this.answers.clear()
    this.#client.wake()
  }

  // ---- turns --------------------------------------------------------------------------------------------------------------

  /** Whether something waits for a commit. */
  get isWaiting(): boolean {
    return this.publishing.confirms.waiting || this.answers.isWaitingForCommit
  }

  /** Whether something is to be told in a later turn. */
  get isBusy(): boolean {
    return this.publishing.confirms.waiting || this.publishing.isWaiting || this.answers.length > 0
  }

  /** Whether no more should be read before some answers have left. */
  get isFull(): boolean {
    return this.answers.length > limits.answersMax
  }

  tell(committed: Ticket): void {
    this.publishing.confirms.tell(committed, this)
    this.answers.tell(committed)
    this.getting.proceed()
    if (this.publishing.confirms.waiting || this.publishing.isWaiting) return
    if (this.#state.name === 'stopped') this.#state = { name: 'closed' }
    else if (this.#state.name === 'leaving') {
      this.#state = { name: 'closed' }
      this.send('channel.close-ok', {})
    } else if (this.#state.name === 'failing') {
      const { error } = this.#state
      this.#state = { name: 'closing' }
      const { code, replyText, classId, methodId } = error
      this.send('channel.close', { replyCode: code, replyText, classId, methodId })
    }
  }

  /** @throws AmqpError 406 when the client holds a delivery for too long */
  tick(): void {
    const { consumerTimeoutMs } = this.#client.door.settings
    const { unacked } = this.settling
    if (unacked.count === 0 || consumerTimeoutMs === 0 || this.#state.name !== 'open') return
    const heldMs = (this.consuming.nowSeconds - unacked.seconds(unacked.first)) * 1000
    if (heldMs <= consumerTimeoutMs) return
    throw new AmqpError(
      'precondition-failed',
      `delivery acknowledgement on channel ${this.number} timed out. Timeout value used: ${consumerTimeoutMs} ms. This timeout value can be configured`,
    )
  }

  /** For those who look at it. */
  view(): AmqpChannel {
    const { publishing, consuming, settling } = this
    return {
      number: this.number,
      isConfirming: publishing.isConfirming,
      isTransactional: publishing.taker !== undefined,
      prefetch: consuming.prefetch,
      globalPrefetch: consuming.sharedPrefetch,
      unacked: settling.unacked.count,
      unconfirmed: publishing.isConfirming ? publishing.confirms.open : 0,
      counters: {
        published: publishing.published,
        confirmed: publishing.confirms.told,
        returned: publishing.returned,
        delivered: consuming.delivered,
        redelivered: consuming.redelivered,
        got: this.getting.got,
        acked: settling.acked,
      },
      consumers: () => consuming.views(),
    }
  }

  // ---- writing ------------------------------------------------------------------------------------------------------------

  send<Name extends MethodName>(name: Name, args: WrittenArguments<Name>): void {
    writeMethod(this.#client.output, this.number, name, args)
    this.#client.wake()
  }

  ack(tag: number, multiple: boolean): void {
    writeAck(this.#client.output, this.number, tag, multiple)
  }

  nack(tag: number, multiple: boolean): void {
    writeNack(this.#client.output, this.number, tag, multiple, false)
  }
}

const CHANNEL_CLOSE = 0x14_0028
const CHANNEL_CLOSE_OK = 0x14_0029
const TX_COMMIT = 0x5a_0014
