import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { FrameReader } from '@millrace/wire'
import { ApiCodec } from '../../protocols/kafka/codec/api-codec.ts'
import { MessageReader } from '../../protocols/kafka/codec/message-reader.ts'
import { MessageWriter } from '../../protocols/kafka/codec/message-writer.ts'
import type { ApiDefinition, Decoded, Encodable } from '../../protocols/kafka/codec/notation.ts'
import type { HostPort } from '../../protocols/kafka/served-api.ts'

const TIMEOUT_MS = 3000
const RESPONSE_BYTES_MAX = 1_048_576
const CLIENT_ID = 'millrace-doctor'

export interface TlsTrust {
  readonly ca: Buffer | undefined
}

/** One request after the other, as a client of Kafka's sends them. */
export class KafkaConnection {
  readonly #socket: Socket
  readonly #frames = new FrameReader(RESPONSE_BYTES_MAX)
  #correlationId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    // What happens is told to whoever waits for an answer.
    socket.on('error', () => {})
  }

  /** @param tls undefined for none @throws Error that says why there is no connection */
  static async open({ host, port }: HostPort, tls: TlsTrust | undefined): Promise<KafkaConnection> {
    const trust = tls?.ca === undefined ? {} : { ca: tls.ca }
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const socket = tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...trust, ...servername })
    await settled(socket, tls === undefined ? 'connect' : 'secureConnect', 'nobody answers')
    return new KafkaConnection(socket)
  }

  /** @param version without flexible fields @throws Error */
  async ask<A extends ApiDefinition>(api: A, version: number, request: Encodable<A['request']>): Promise<Decoded<A['response']>> {
    const codec = new ApiCodec(api)
    const writer = new MessageWriter()
    writer.int32(0)
    writer.int16(codec.key)
    writer.int16(version)
    writer.int32(this.#correlationId++)
    writer.int16(CLIENT_ID.length)
    writer.raw(Buffer.from(CLIENT_ID))
    codec.writeRequest(writer, version, request)
    const bytes = Buffer.concat(writer.take())
    bytes.writeInt32BE(bytes.length - 4)
    this.#socket.write(bytes)
    const reader = new MessageReader(await this.#response())
    reader.int32()
    return codec.readResponse(reader, version)
  }

  close(): void {
    this.#socket.destroy()
  }

  async #response(): Promise<Uint8Array> {
    for (;;) {
      const chunk = (await settled(this.#socket, 'data', 'no answer came')) as Buffer
      this.#frames.feed(new Uint8Array(chunk))
      if (this.#frames.next()) return this.#frames.bytes.slice(this.#frames.start, this.#frames.end)
    }
  }
}

/** Whether a listener speaks TLS, with whatever certificate. */
export async function speaksTls({ host, port }: HostPort): Promise<boolean> {
  const socket = connectTls({ host, port, rejectUnauthorized: false })
  try {
    await settled(socket, 'secureConnect', 'nobody answers')
    return true
  } catch {
    // Whatever else is wrong shows when it is used.
    return false
  } finally {
    socket.destroy()
  }
}

/** Waits for one event of a socket. @throws Error when it fails or ends before, or nothing happens */
function settled(socket: Socket, event: string, otherwise: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void): void => {
      clearTimeout(timer)
      for (const [name, listener] of Object.entries(listeners)) socket.off(name, listener)
      act()
    }
    const failed = (error: Error): void =>
      done(() => {
        socket.destroy()
        reject(error)
      })
    const listeners: Record<string, (value?: unknown) => void> = {
      [event]: (value) => done(() => resolve(value)),
      error: (error) => failed(error as Error),
      close: () => failed(new Error('the connection was closed')),
    }
    const timer = setTimeout(() => failed(new Error(`${otherwise} within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
    for (const [name, listener] of Object.entries(listeners)) socket.on(name, listener)
  })
}
