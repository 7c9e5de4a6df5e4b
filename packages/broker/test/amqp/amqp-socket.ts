import { connect, type Socket } from 'node:net'
import { connect as connectSecurely, type ConnectionOptions } from 'node:tls'
import { writeContent } from '../../src/protocols/amqp/codec/deliveries.ts'
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FrameReader,
} from '../../src/protocols/amqp/codec/frame-reader.ts'
import { readMethod, shapeOf, writeMethod } from '../../src/protocols/amqp/codec/method-codec.ts'
import type { Method, MethodName, WrittenArguments } from '../../src/protocols/amqp/codec/methods.ts'
import { Output } from '../../src/protocols/amqp/codec/output.ts'
import { encodeProperties, readBodySize } from '../../src/protocols/amqp/codec/properties.ts'

const FRAME_BYTES_MAX = 131_072
const NO_PROPERTIES: Uint8Array = encodeProperties({})

export interface SocketDelivery {
  readonly tag: number
  readonly redelivered: boolean
  readonly body: string
}

export interface SocketOptions {
  readonly tls?: ConnectionOptions
  readonly mechanism?: string
  readonly response?: string
  /** In seconds. */
  readonly heartbeat?: number
}

interface Call {
  readonly reply: MethodName
  readonly resolve: (args: Method['args']) => void
  readonly reject: (error: Error) => void
}

/** A client of the AMQP door over TCP that need not behave: it reads only when told to, and never waits for confirms by itself. */
export class AmqpSocket {
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  readonly #output = new Output()
  readonly #calls: Call[] = []
  #delivery: { tag: number; redelivered: boolean; left: number; readonly pieces: Buffer[] } | undefined
  #drained: (() => void) | undefined
  /** Why. */
  #ended = 'the connection ended'
  closed = false
  /** How many came. */
  heartbeats = 0
  /** Called for what nobody asked for: confirms, `connection.blocked`, `channel.close`. */
  onMethod: (method: Method, channel: number) => void = () => {}
  onDelivery: (delivery: SocketDelivery) => void = () => {}
  onClosed: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#reader.payloadBytesMax = FRAME_BYTES_MAX
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('drain', () => this.#drained?.())
    socket.on('close', () => this.#closed())
  }

  /** Nothing is said yet. @param address `HOST:PORT` */
  static async dial(address: string, tls?: ConnectionOptions): Promise<AmqpSocket> {
    const [host, port] = address.split(':')
    const to = { host: host!, port: Number(port) }
    const socket = tls === undefined ? connect({ ...to, noDelay: true }) : connectSecurely({ ...to, ...tls })
    const event = tls === undefined ? 'connect' : 'secureConnect'
    await new Promise<void>((resolve, reject) => socket.once(event, resolve).once('error', reject))
    return new AmqpSocket(socket)
  }

  /** Logs in, with channel 1 open. @param address `HOST:PORT` */
  static async connect(address: string, options: SocketOptions = {}): Promise<AmqpSocket> {
    const client = await AmqpSocket.dial(address, options.tls)
    await client.greet()
    await client.logIn(options)
    return client
  }

  /** @returns the mechanisms that are offered */
  async greet(): Promise<string[]> {
    const started = this.#reply('connection.start')
    await this.write(Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1))
    const { mechanisms } = (await started) as { readonly mechanisms: Uint8Array }
    return Buffer.from(mechanisms).toString().split(' ')
  }

  /** @throws Error with the text of the refusal */
  async logIn({ mechanism = 'PLAIN', response = '\0guest\0guest', heartbeat = 0 }: SocketOptions = {}): Promise<void> {
    const capabilities = { 'connection.blocked': true, authentication_failure_close: true }
    const tuned = this.#reply('connection.tune')
    this.send(0, 'connection.start-ok', { clientProperties: { capabilities }, mechanism, response, locale: 'en_US' })
    await tuned
    this.send(0, 'connection.tune-ok', { channelMax: 10, frameMax: FRAME_BYTES_MAX, heartbeat })
    await this.call(0, 'connection.open', { virtualHost: '/' })
    await this.call(1, 'channel.open', {})
  }

  send<Name extends MethodName>(channel: number, name: Name, args: WrittenArguments<Name>): void {
    writeMethod(this.#output, channel, name, args)
    this.#flush()
  }

  /** Sends a method and gives the arguments of its answer. */
  call<Name extends MethodName>(channel: number, name: Name, args: WrittenArguments<Name>): Promise<Method['args']> {
    const { reply } = shapeOf(name)
    if (reply === undefined) throw new TypeError(`${name} has no answer`)
    const answer = this.#reply(reply)
    this.send(channel, name, args)
    return answer
  }

  methodBytes<Name extends MethodName>(channel: number, name: Name, args: WrittenArguments<Name>): Uint8Array {
    writeMethod(this.#output, channel, name, args)
    return Buffer.concat(this.#output.take())
  }

  /** By the default exchange. @returns the frames */
  messageBytes(routingKey: string, body: string, channel = 1, mandatory = false, exchange = ''): Uint8Array {
    const bytes = Buffer.from(body)
    writeMethod(this.#output, channel, 'basic.publish', { exchange, routingKey, mandatory, immediate: false })
    writeContent(this.#output, channel, NO_PROPERTIES, bytes, 0, bytes.length, FRAME_BYTES_MAX)
    return Buffer.concat(this.#output.take())
  }

  /** Resolves when the socket took it: at once, unless the broker reads slower than this writes. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.closed || this.#socket.write(bytes)) return Promise.resolve()
    return new Promise((resolve) => (this.#drained = resolve))
  }

  /** From now on nothing is read from the socket. */
  stopReading(): void {
    this.#socket.pause()
  }

  readAgain(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #reply(reply: MethodName): Promise<Method['args']> {
    if (this.closed) return Promise.reject(new Error('the connection is closed'))
    return new Promise((resolve, reject) => this.#calls.push({ reply, resolve, reject }))
  }

  #flush(): void {
    this.#socket.write(Buffer.concat(this.#output.take()))
  }

  #receive(chunk: Uint8Array): void {
    this.#reader.feed(chunk)
    while (this.#reader.next()) this.#frame(this.#reader)
  }

  #frame({ type, channel, bytes, at, end }: FrameReader): void {
    const delivery = this.#delivery
    if (type === FRAME_HEARTBEAT) this.heartbeats++
    if (type === FRAME_METHOD) return this.#method(readMethod(bytes, at, end), channel)
    if (delivery === undefined) return
    if (type === FRAME_HEADER) delivery.left = readBodySize(bytes, at, end)
    if (type === FRAME_BODY) {
      delivery.pieces.push(Buffer.from(bytes.slice(at, end)))
      delivery.left -= end - at
    }
    if (delivery.left > 0) return
    this.#delivery = undefined
    const { tag, redelivered, pieces } = delivery
    this.onDelivery({ tag, redelivered, body: Buffer.concat(pieces).toString() })
  }

  #method(method: Method, channel: number): void {
    if (method.name === 'basic.deliver') {
      const { deliveryTag, redelivered } = method.args
      this.#delivery = { tag: deliveryTag, redelivered, left: 0, pieces: [] }
      return
    }
    if (method.name === 'connection.close') this.#ended = method.args.replyText
    if (method.name === this.#calls[0]?.reply) return this.#calls.shift()!.resolve(method.args)
    this.onMethod(method, channel)
  }

  #closed(): void {
    this.closed = true
    for (const { reject } of this.#calls.splice(0)) reject(new Error(this.#ended))
    this.#drained?.()
    this.onClosed()
  }
}
