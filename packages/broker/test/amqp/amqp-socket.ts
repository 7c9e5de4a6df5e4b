import { connect, type Socket } from 'node:net'
import { writeContent } from '../../src/protocols/amqp/codec/deliveries.ts'
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD, FrameReader } from '../../src/protocols/amqp/codec/frame-reader.ts'
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
  closed = false
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

  /** Logs in, with channel 1 open. @param address `HOST:PORT` */
  static async connect(address: string): Promise<AmqpSocket> {
    const [host, port] = address.split(':')
    const socket = connect({ host: host!, port: Number(port), noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const client = new AmqpSocket(socket)
    const started = client.#reply('connection.start')
    socket.write(Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1))
    await started
    const tuned = client.#reply('connection.tune')
    const clientProperties = { capabilities: { 'connection.blocked': true } }
    client.send(0, 'connection.start-ok', { clientProperties, mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' })
    await tuned
    client.send(0, 'connection.tune-ok', { channelMax: 10, frameMax: FRAME_BYTES_MAX, heartbeat: 0 })
    await client.call(0, 'connection.open', { virtualHost: '/' })
    await client.call(1, 'channel.open', {})
    return client
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

  /** By the default exchange. @returns the frames */
  messageBytes(routingKey: string, body: string, channel = 1): Uint8Array {
    const bytes = Buffer.from(body)
    writeMethod(this.#output, channel, 'basic.publish', { exchange: '', routingKey, mandatory: false, immediate: false })
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
    if (method.name === this.#calls[0]?.reply) return this.#calls.shift()!.resolve(method.args)
    this.onMethod(method, channel)
  }

  #closed(): void {
    this.closed = true
    for (const { reject } of this.#calls.splice(0)) reject(new Error('the connection ended'))
    this.#drained?.()
    this.onClosed()
  }
}
