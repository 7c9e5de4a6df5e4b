import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { FrameReader } from '@millrace/wire'
import { ApiCodec } from '../../packages/broker/src/protocols/kafka/codec/api-codec.ts'
import { MessageReader } from '../../packages/broker/src/protocols/kafka/codec/message-reader.ts'
import type { ApiDefinition, Decoded } from '../../packages/broker/src/protocols/kafka/codec/notation.ts'
import { readClientId, readRequestHeader } from '../../packages/broker/src/protocols/kafka/request-header.ts'

type Answered = (body: MessageReader) => void

interface Watched {
  readonly codec: ApiCodec
  /** @returns what wants the response */
  requested(body: MessageReader, version: number): Answered
}

/** Stands between clients and a broker, reads along, and cuts clients off by their name. */
export class WireTap {
  readonly address: string
  /** The broker, once it is there. */
  target = ''
  readonly #server: Server
  readonly #watched = new Map<number, Watched>()
  /** Open connections, and whose they are. */
  readonly #sockets = new Map<Socket, string | null>()
  readonly #cut = new Set<string | null>()

  private constructor(server: Server) {
    this.#server = server
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (client) => this.#accept(client))
  }

  static async open(): Promise<WireTap> {
    const server = createServer({ noDelay: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new WireTap(server)
  }

  /** @param requested called with each request before the broker has it; what it returns is called before the client has the response */
  watch<A extends ApiDefinition>(
    api: A,
    requested: (request: Decoded<A['request']>) => (response: Decoded<A['response']>) => void,
  ): void {
    const codec = new ApiCodec(api)
    this.#watched.set(api.key, {
      codec,
      requested(body, version) {
        const answered = requested(codec.readRequest(body, version))
        return (reader) => answered(codec.readResponse(reader, version))
      },
    })
  }

  /** Ends all connections of a client, now and for ever; it is not told. */
  cut(clientId: string): void {
    this.#cut.add(clientId)
    for (const [socket, owner] of this.#sockets) if (owner === clientId) socket.destroy()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    const [host, port] = this.target.split(':') as [string, string]
    const broker = createConnection({ host, port: Number(port), noDelay: true })
    const waiting = new Map<number, Answered>()
    const requests = new FrameReader(1 << 30)
    const responses = new FrameReader(1 << 30)
    this.#sockets.set(client, null)
    client.on('data', (chunk) => {
      requests.feed(chunk)
      while (requests.next()) this.#request(client, new MessageReader(requests.bytes, requests.start, requests.end), waiting)
      if (!client.destroyed) broker.write(chunk)
    })
    broker.on('data', (chunk) => {
      if (client.destroyed) return
      responses.feed(chunk)
      while (responses.next()) passOn(new MessageReader(responses.bytes, responses.start, responses.end), waiting)
      client.write(chunk)
    })
    client.on('close', () => {
      this.#sockets.delete(client)
      broker.destroy()
    })
    broker.on('close', () => client.destroy())
    // Ends of a connection: 'close' follows.
    client.on('error', () => undefined)
    broker.on('error', () => undefined)
  }

  #request(client: Socket, reader: MessageReader, waiting: Map<number, Answered>): void {
    const { key, version, correlationId } = readRequestHeader(reader)
    const watched = this.#watched.get(key)
    const isFlexible = watched?.codec.isFlexible(version) ?? false
    const clientId = readClientId(reader, isFlexible)
    this.#sockets.set(client, clientId)
    if (this.#cut.has(clientId)) {
      client.destroy()
      return
    }
    if (watched === undefined) return
    const answered = watched.requested(reader, version)
    waiting.set(correlationId, (body) => {
      if (isFlexible) body.uvarint()
      answered(body)
    })
  }
}

function passOn(reader: MessageReader, waiting: Map<number, Answered>): void {
  const correlationId = reader.int32()
  const answered = waiting.get(correlationId)
  waiting.delete(correlationId)
  answered?.(reader)
}
