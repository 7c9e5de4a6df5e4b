/** A client of the AMQP door in virtual time: the other end of the codec. */
import { type AmqpAdministration, openAdministration } from '../../src/protocols/amqp/administration.ts'
import { amqpDoor, type AmqpSettings } from '../../src/protocols/amqp/amqp-door.ts'
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FrameReader,
} from '../../src/protocols/amqp/codec/frame-reader.ts'
import { readMethod, shapeOf, writeMethod } from '../../src/protocols/amqp/codec/method-codec.ts'
import type { MethodName, WrittenArguments } from '../../src/protocols/amqp/codec/methods.ts'
import { Output } from '../../src/protocols/amqp/codec/output.ts'
import { encodeProperties, PROPERTIES_AT, type PropertyValues } from '../../src/protocols/amqp/codec/properties.ts'
import { writeContent } from '../../src/protocols/amqp/codec/deliveries.ts'
import type { Journal } from '../../src/ports/journal.ts'
import { CommitWaiters } from '../../src/protocols/commit-waiters.ts'
import { openToAll, type Security } from '../../src/protocols/security.ts'
import type { Action, Connection, Door, Peer, Principal, Session, SessionContext } from '../../src/protocols/session.ts'
import { TestBroker, type TestOptions } from '../core/harness.ts'

const FRAME_BYTES_MAX = 131_072

export interface AmqpOptions extends TestOptions {
  readonly settings?: Partial<AmqpSettings>
  readonly authorize?: (principal: Principal, action: Action, resource: string) => void
  readonly security?: Security
  readonly journal?: Journal
}

/** A frame of the broker, for people: `basic.ack 3 multiple`. */
export interface Received {
  readonly channel: number
  readonly name: MethodName | 'header' | 'body' | 'heartbeat'
  readonly args: Readonly<Record<string, unknown>>
}

const inProcess: Peer = { address: 'test', transport: 'in-process', secure: true }

/** A broker with the AMQP door. */
export class AmqpBroker {
  readonly core: TestBroker
  readonly administration: AmqpAdministration
  readonly #context: SessionContext
  readonly #door: Door

  private constructor(core: TestBroker, options: AmqpOptions) {
    this.core = core
    const { broker, platform } = core
    const security = options.security ?? openToAll
    this.#context = {
      broker,
      platform,
      commits: new CommitWaiters(broker),
      identity: { brokerId: broker.id, brokerVersion: '0' },
      authorize: options.authorize ?? ((): void => {}),
      security,
      status: () => ({ version: '0', pid: 1, uptimeMs: 0, engine: 'memory', durability: 'none', listeners: {} }),
    }
    this.administration = openAdministration(broker, security)
    this.#door = amqpDoor(this.administration, options.settings ?? {})
  }

  static async open(options: AmqpOptions = {}): Promise<AmqpBroker> {
    const { settings: _, authorize: __, security: ___, journal, ...core } = options
    return new AmqpBroker(await TestBroker.open(core, 1, journal), options)
  }

  /** A connection on which nothing was said. */
  connect(from: Peer = inProcess): AmqpPeer {
    return new AmqpPeer(this.core, this.#door, this.#context, from)
  }

  /** A connection that is open, with its channel 1. */
  async opened(
    capabilities: Readonly<Record<string, boolean>> = { consumer_cancel_notify: true },
    virtualHost: string = '/',
  ): Promise<AmqpPeer> {
    const peer = this.connect()
    await peer.open(capabilities, virtualHost)
    await peer.call(1, 'channel.open', {})
    return peer
  }
}

export class AmqpPeer implements Connection {
  readonly peer: Peer
  readonly backlogLowBytes = 1000
  backlogBytes = 0
  paused = false
  closed = false
  readonly session: Session
  /** Frames that were not taken. */
  readonly received: Received[] = []
  readonly raw: Uint8Array[] = []
  readonly #core: TestBroker
  readonly #frames = new FrameReader()
  readonly #output = new Output()

  constructor(core: TestBroker, door: Door, context: SessionContext, from: Peer) {
    this.#core = core
    this.peer = from
    this.#frames.payloadBytesMax = FRAME_BYTES_MAX
    this.session = door.accept(this, context)
  }

  // ---- Connection -----------------------------------------------------------------------------------------------------

  write(chunks: readonly Uint8Array[]): void {
    if (this.closed) throw new Error('the session wrote after close()')
    for (const chunk of chunks) {
      this.raw.push(chunk)
      if (chunk.length === 8 && chunk[0] === 0x41) continue
      this.#frames.feed(chunk)
      while (this.#frames.next()) this.received.push(this.#read(this.#frames))
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.session.connectionClosed()
  }

  /** The network fails. */
  cut(): void {
    this.close()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  // ---- for tests ------------------------------------------------------------------------------------------------------

  async open(capabilities: Readonly<Record<string, boolean>> = {}, virtualHost = '/', heartbeat = 0): Promise<void> {
    this.greet()
    await this.settle()
    this.take('connection.start')
    await this.logIn('guest', 'guest', capabilities)
    this.take('connection.tune')
    this.send(0, 'connection.tune-ok', { channelMax: 2047, frameMax: FRAME_BYTES_MAX, heartbeat })
    await this.call(0, 'connection.open', { virtualHost })
  }

  greet(): void {
    this.bytes(Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1))
  }

  async logIn(user: string, password: string, capabilities: Readonly<Record<string, boolean>> = {}): Promise<void> {
    const response = `\0${user}\0${password}`
    this.send(0, 'connection.start-ok', { clientProperties: { capabilities }, mechanism: 'PLAIN', response, locale: 'en_US' })
    await this.settle()
  }

  bytes(bytes: Uint8Array): void {
    if (!this.closed) this.session.receive(bytes)
  }

  send<Name extends MethodName>(channel: number, name: Name, args: WrittenArguments<Name>): void {
    this.bytes(this.frames((output) => writeMethod(output, channel, name, args)))
  }

  /** Frames as bytes, to be sent together with others. */
  frames(write: (output: Output) => void): Uint8Array {
    write(this.#output)
    return new Uint8Array(Buffer.concat(this.#output.take()))
  }

  publish(
    channel: number,
    exchange: string,
    routingKey: string,
    body: string,
    properties: PropertyValues = {},
    mandatory = false,
  ): void {
    this.bytes(this.publishBytes(channel, exchange, routingKey, body, properties, mandatory))
  }

  publishBytes(
    channel: number,
    exchange: string,
    routingKey: string,
    body: string,
    properties: PropertyValues = {},
    mandatory = false,
  ): Uint8Array {
    return this.frames((output) => {
      writeMethod(output, channel, 'basic.publish', { exchange, routingKey, mandatory, immediate: false })
      const bytes = new TextEncoder().encode(body)
      writeContent(output, channel, encodeProperties(properties), bytes, 0, bytes.length, FRAME_BYTES_MAX)
    })
  }

  async settle(): Promise<void> {
    await this.#core.settle()
  }

  /** Sends a method and gives the arguments of its answer. */
  async call<Name extends MethodName>(
    channel: number,
    name: Name,
    args: WrittenArguments<Name>,
  ): Promise<Readonly<Record<string, unknown>>> {
    this.send(channel, name, args)
    await this.settle()
    const { reply } = shapeOf(name)
    return reply === undefined ? {} : this.take(reply)
  }

  /** The oldest frame that was not taken, which must be of this name. */
  take(name: Received['name']): Readonly<Record<string, unknown>> {
    const frame = this.received.shift()
    if (frame?.name !== name) {
      const got =
        frame === undefined ? `nothing came${this.closed ? ', and the connection is closed' : ''}` : JSON.stringify(frame)
      throw new Error(`expected ${name}: ${got}`)
    }
    return frame.args
  }

  /** Names of all frames that were not taken, which are taken. */
  takeNames(): string[] {
    return this.received.splice(0).map(({ name }) => name)
  }

  /** The oldest delivery. */
  takeDelivery(): { readonly tag: number; readonly body: string; readonly redelivered: boolean; readonly routingKey: string } {
    const { deliveryTag, redelivered, routingKey } = this.take('basic.deliver')
    const { size } = this.take('header')
    const body = size === 0 ? '' : (this.take('body')['text'] as string)
    return { tag: deliveryTag as number, body, redelivered: redelivered as boolean, routingKey: routingKey as string }
  }

  #read({ type, channel, bytes, at, end }: FrameReader): Received {
    if (type === FRAME_HEARTBEAT) return { channel, name: 'heartbeat', args: {} }
    if (type === FRAME_HEADER) {
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      const size = Number(view.getBigUint64(at + 4))
      return { channel, name: 'header', args: { size, properties: bytes.slice(at + PROPERTIES_AT, end) } }
    }
    if (type === FRAME_BODY) return { channel, name: 'body', args: { text: new TextDecoder().decode(bytes.subarray(at, end)) } }
    if (type !== FRAME_METHOD) throw new Error(`a frame of type ${type}`)
    const { name, args } = readMethod(bytes.slice(at, end), 0, end - at)
    return { channel, name, args: args }
  }
}
