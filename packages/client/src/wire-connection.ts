// hot path (bench/src/native.ts)
import {
  type Frame,
  FrameReader,
  frameSchemas,
  FrameWriter,
  NATIVE_MAGIC,
  NATIVE_VERSION,
  ProtocolError,
  readFrame,
  reasonOf,
  writeFrame,
} from '@millrace/wire'
import { type ClientPlatform, systemPlatform } from './client-platform.ts'
import { asMillraceError, errorOf, MillraceError } from './errors.ts'
import { checkProof, type HelloOptions, type Login, startLogin } from './login.ts'
import type { ScramClient } from './scram.ts'
import type { Dial, Transport } from './transport.ts'

/** What the broker said about itself in `welcome`. */
export interface BrokerFacts {
  readonly brokerId: string
  readonly brokerVersion: string
  readonly heartbeatMs: number
  readonly frameBytesMax: number
  readonly batchBytesMax: number
}

/** Who handles the frames of a connection that is up. */
export interface FrameHandler {
  /** `reader` stands on a `deliver` or `confirm` frame. @throws ProtocolError */
  deliver(reader: FrameReader): void
  confirm(reader: FrameReader): void
  control(frame: Frame): void
  /** Nothing comes after it. */
  lost(error: MillraceError): void
}

const DELIVER: number = frameSchemas.deliver.opcode
const CONFIRM: number = frameSchemas.confirm.opcode
/** Largest frame that is taken from a broker: it bounds batches itself. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024
const HEARTBEAT_MS = 10_000

/** One connection, from `hello` to the end: frames in and out, heartbeats. Knows nothing about publishers and consumers. */
export class WireConnection {
  readonly writer: FrameWriter = new FrameWriter()
  facts: BrokerFacts = { brokerId: '', brokerVersion: '', heartbeatMs: HEARTBEAT_MS, frameBytesMax: 0, batchBytesMax: 0 }
  readonly #reader = new FrameReader(FRAME_BYTES_MAX)
  readonly #handler: FrameHandler
  readonly #platform: ClientPlatform
  #transport: Transport | undefined
  /** Settles the wait for `welcome`; undefined afterwards. */
  #greeting: { readonly resolve: () => void; readonly reject: (error: MillraceError) => void } | undefined
  #login: Login | undefined
  #failure: MillraceError | undefined
  #flushing = false
  #closed = false
  #silentTicks = 0
  #unsentTicks = 0
  #stopTicks: (() => void) | undefined

  private constructor(handler: FrameHandler, platform: ClientPlatform) {
    this.#handler = handler
    this.#platform = platform
  }

  /** Connects and shakes hands. @throws MillraceError what the broker refused with, or `closed` with the cause */
  static async open(
    dial: Dial,
    hello: HelloOptions,
    handler: FrameHandler,
    signal: AbortSignal,
    platform: ClientPlatform = systemPlatform,
  ): Promise<WireConnection> {
    const connection = new WireConnection(handler, platform)
    const abort = (): void => connection.#fail(asMillraceError(signal.reason, 'timeout', 'the broker did not answer in time'))
    try {
      const login = startLogin(hello)
      connection.#login = login
      connection.#transport = await dial(
        { data: (bytes) => connection.#receive(bytes), closed: (error) => connection.#closedByTransport(error) },
        signal,
      )
      signal.throwIfAborted()
      const welcome = new Promise<void>((resolve, reject) => {
        connection.#greeting = { resolve, reject }
      })
      signal.addEventListener('abort', abort, { once: true })
      writeFrame(connection.writer, 'hello', { magic: NATIVE_MAGIC, version: NATIVE_VERSION, options: { ...login.hello } })
      connection.flush()
      await welcome
      return connection
    } catch (error) {
      connection.#transport?.destroy()
      throw asMillraceError(error, 'closed', 'cannot connect')
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** Sends what was written at the end of the turn. */
  wake(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#platform.endOfTurn(this.#flushNow)
  }

  flush(): void {
    if (this.#closed || this.writer.bytes === 0) return
    this.#unsentTicks = 0
    this.#transport?.write(this.writer.take())
  }

  /** Says goodbye; what was written before is sent. The handler is not told. */
  close(): void {
    if (this.#closed) return
    writeFrame(this.writer, 'goodbye', { reason: { code: 'closed', message: 'The client is done.' } })
    this.flush()
    this.#end()
    this.#transport?.close()
  }

  readonly #flushNow = (): void => {
    this.#flushing = false
    this.flush()
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#silentTicks = 0
    const reader = this.#reader
    const handler = this.#handler
    try {
      reader.feed(bytes)
      while (!this.#closed && reader.next()) {
        const opcode = reader.bytes[reader.start]!
        if (opcode === DELIVER && this.#greeting === undefined) handler.deliver(reader)
        else if (opcode === CONFIRM && this.#greeting === undefined) handler.confirm(reader)
        else this.#frame(readFrame(reader.bytes, reader.view, reader.start, reader.end))
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#fail(new MillraceError('closed', `The broker does not follow the protocol: ${error.message}`, { cause: error }))
    }
  }

  #frame(frame: Frame): void {
    if (frame.name === 'goodbye') return this.#fail(errorOf(reasonOf(frame.reason)))
    if (this.#greeting !== undefined) {
      if (frame.name === 'challenge') return this.#answer(frame.sasl['message'])
      if (frame.name !== 'welcome') throw new ProtocolError(`\`${frame.name}\` before \`welcome\`.`)
      return this.#welcome(frame.facts)
    }
    if (frame.name === 'ping') {
      writeFrame(this.writer, 'pong', {})
      return this.wake()
    }
    if (frame.name !== 'pong') this.#handler.control(frame)
  }

  #answer(challenge: unknown): void {
    const scram = this.#login?.scram
    if (scram === undefined || typeof challenge !== 'string') throw new ProtocolError('A `challenge` that nothing asked for.')
    void this.#respond(scram, challenge)
  }

  async #respond(scram: ScramClient, challenge: string): Promise<void> {
    try {
      const message = await scram.answer(challenge)
      if (this.#closed) return
      writeFrame(this.writer, 'response', { sasl: { message } })
      this.flush()
    } catch (error) {
      this.#fail(asMillraceError(error, 'unauthorized', 'cannot log in'))
    }
  }

  #welcome({ proof, ...facts }: Readonly<Record<string, unknown>>): void {
    try {
      checkProof(this.#login!, proof)
    } catch (error) {
      return this.#fail(error as MillraceError)
    }
    this.#login = undefined
    const { heartbeatMs, batchBytesMax } = facts
    if (typeof heartbeatMs !== 'number' || typeof batchBytesMax !== 'number' || !(heartbeatMs >= 100)) {
      throw new ProtocolError('`welcome` lacks `heartbeatMs` or `batchBytesMax`.')
    }
    this.facts = { ...this.facts, ...(facts as Partial<BrokerFacts>) }
    // Four looks per heartbeat are precise enough for a limit of two heartbeats.
    this.#stopTicks = this.#platform.every(heartbeatMs / 4, () => this.#tick())
    this.#greeting?.resolve()
    this.#greeting = undefined
  }

  #tick(): void {
    if (++this.#silentTicks > 8) {
      return this.#fail(new MillraceError('timeout', `The broker was not heard for ${2 * this.facts.heartbeatMs} ms.`))
    }
    if (++this.#unsentTicks < 4) return
    writeFrame(this.writer, 'ping', {})
    this.flush()
  }

  #fail(error: MillraceError): void {
    if (this.#closed) return
    this.#failure = error
    this.#transport?.destroy()
    this.#report(error)
  }

  #closedByTransport(error: Error | undefined): void {
    if (this.#closed) return
    this.#report(
      this.#failure ?? asMillraceError(error ?? new Error('closed by the other side'), 'closed', 'the connection was lost'),
    )
  }

  #report(error: MillraceError): void {
    this.#end()
    if (this.#greeting === undefined) this.#handler.lost(error)
    else {
      this.#greeting.reject(error)
      this.#greeting = undefined
    }
  }

  #end(): void {
    this.#closed = true
    this.#stopTicks?.()
  }
}
