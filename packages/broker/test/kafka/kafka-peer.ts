/** A client of the Kafka door in virtual time: the other end of the codec. */
import { FrameReader } from '@millrace/wire'
import { ApiCodec } from '../../src/protocols/kafka/codec/api-codec.ts'
import { MessageReader } from '../../src/protocols/kafka/codec/message-reader.ts'
import { MessageWriter } from '../../src/protocols/kafka/codec/message-writer.ts'
import type { ApiDefinition, Decoded, Encodable } from '../../src/protocols/kafka/codec/notation.ts'
import { kafkaDoor, type KafkaSettings } from '../../src/protocols/kafka/kafka-door.ts'
import { CommitWaiters } from '../../src/protocols/commit-waiters.ts'
import { openToAll, type Security } from '../../src/protocols/security.ts'
import type { Action, Connection, Peer, Principal, Session, SessionContext } from '../../src/protocols/session.ts'
import { decompress } from '../../src/server/decompress/decompress.ts'
import { TestBroker, type TestOptions } from '../core/harness.ts'

const API_VERSIONS = 18
const CLIENT_ID = 'a client'

export interface KafkaOptions extends TestOptions {
  readonly settings?: KafkaSettings
  readonly authorize?: (principal: Principal, action: Action, resource: string) => void
  readonly security?: Security
}

export const inProcess: Peer = { address: 'test', transport: 'in-process', secure: true }

/** A broker with the Kafka door. */
export class KafkaBroker {
  readonly core: TestBroker
  readonly #options: KafkaOptions

  private constructor(core: TestBroker, options: KafkaOptions) {
    this.core = core
    this.#options = options
  }

  static async open(options: KafkaOptions = {}): Promise<KafkaBroker> {
    const { settings: _, authorize: __, security: ___, ...core } = options
    return new KafkaBroker(await TestBroker.open({ decompress, ...core }), options)
  }

  connect(from: Peer = inProcess): KafkaPeer {
    const { broker, platform } = this.core
    const context: SessionContext = {
      broker,
      platform,
      commits: new CommitWaiters(broker),
      identity: { brokerId: broker.id, brokerVersion: '0' },
      authorize: this.#options.authorize ?? ((): void => {}),
      security: this.#options.security ?? openToAll,
      status: () => ({ version: '0', pid: 1, uptimeMs: 0, engine: 'memory', durability: 'none', listeners: {} }),
    }
    return new KafkaPeer(this.core, kafkaDoor(this.#options.settings), context, from)
  }
}

export class KafkaPeer implements Connection {
  readonly peer: Peer
  readonly backlogLowBytes = 1000
  backlogBytes = 0
  paused = false
  closed = false
  /** Bytes that were written, all in all. */
  written = 0
  readonly session: Session
  readonly #core: TestBroker
  readonly #frames = new FrameReader(1 << 30)
  readonly #responses: Uint8Array[] = []
  #correlationId = 0

  constructor(core: TestBroker, door: ReturnType<typeof kafkaDoor>, context: SessionContext, from: Peer) {
    this.#core = core
    this.peer = from
    this.session = door.accept(this, context)
  }

  // ---- Connection -----------------------------------------------------------------------------------------------------

  write(chunks: readonly Uint8Array[], done?: () => void): void {
    if (this.closed) throw new Error('the session wrote after close()')
    for (const chunk of chunks) {
      this.written += chunk.length
      if (chunk.length === 4 && chunk.every((byte) => byte === 0)) {
        this.#responses.push(new Uint8Array())
        continue
      }
      this.#frames.feed(chunk)
      while (this.#frames.next()) this.#responses.push(this.#frames.bytes.slice(this.#frames.start, this.#frames.end))
    }
    done?.()
  }

  close(): void {
    this.closed = true
    this.session.connectionClosed()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  // ---- for tests ------------------------------------------------------------------------------------------------------

  /** Sends a request, and gives its response once nothing more happens by itself. */
  async ask<A extends ApiDefinition>(api: A, version: number, request: Encodable<A['request']>): Promise<Decoded<A['response']>> {
    this.send(api, version, request)
    await this.settle()
    return this.take(api, version)
  }

  async settle(): Promise<void> {
    await this.#core.settle()
  }

  send<A extends ApiDefinition>(api: A, version: number, request: Encodable<A['request']>): void {
    this.raw(requestBytes(api, version, request, this.#correlationId++))
  }

  raw(bytes: Uint8Array): void {
    if (!this.closed) this.session.receive(bytes)
  }

  /** The oldest response that was not taken. */
  take<A extends ApiDefinition>(api: A, version: number): Decoded<A['response']> {
    const bytes = this.#responses.shift()
    if (bytes === undefined) throw new Error(`no response came${this.closed ? ', and the connection was closed' : ''}`)
    const codec = new ApiCodec(api)
    const reader = new MessageReader(bytes)
    reader.int32()
    if (codec.isFlexible(version) && codec.key !== API_VERSIONS) reader.uvarint()
    return codec.readResponse(reader, version)
  }

  /** The oldest response that was not taken, as it came. */
  takeBytes(): Uint8Array | undefined {
    return this.#responses.shift()
  }

  /** Correlation ids of the responses that were not taken. */
  get waiting(): number[] {
    return this.#responses.map((bytes) => new MessageReader(bytes).int32())
  }
}

/** A request with its length in front. */
export function requestBytes<A extends ApiDefinition>(
  api: A,
  version: number,
  request: Encodable<A['request']>,
  correlationId = 0,
): Uint8Array {
  const codec = new ApiCodec(api)
  const writer = new MessageWriter()
  writer.int16(codec.key)
  writer.int16(version)
  writer.int32(correlationId)
  writer.int16(CLIENT_ID.length)
  writer.raw(Buffer.from(CLIENT_ID))
  if (codec.isFlexible(version)) writer.uvarint(0)
  codec.writeRequest(writer, version, request)
  const body = Buffer.concat(writer.take())
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return new Uint8Array(Buffer.concat([length, body]))
}
