import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { FrameReader, FrameWriter, NATIVE_MAGIC, NATIVE_VERSION, readFrame, writeFrame } from '@millrace/wire'
import type { Frame, FrameBody, FrameName } from '@millrace/wire'

const FRAME_BYTES_MAX = 1 << 26

/** A peer of the native protocol that need not behave: it sends what it likes and reads only when told to. */
export class RawPeer {
  readonly #socket: Socket
  readonly #reader = new FrameReader(FRAME_BYTES_MAX)
  readonly #frames: Frame[] = []
  #arrived: (() => void) | undefined
  #drained: (() => void) | undefined
  closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('drain', () => this.#drained?.())
    socket.on('close', () => {
      this.closed = true
      this.#arrived?.()
      this.#drained?.()
    })
  }

  /** Connects and says hello. @param url `millrace://HOST:PORT` */
  static async connect(url: string): Promise<RawPeer> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const peer = new RawPeer(socket)
    await peer.send('hello', { magic: NATIVE_MAGIC, version: NATIVE_VERSION, options: { clientId: 'raw-peer' } })
    await peer.next('welcome')
    return peer
  }

  /** Resolves when the socket took it: at once, unless the broker reads slower than this writes. */
  send<Name extends FrameName>(name: Name, body: FrameBody<Name>): Promise<void> {
    const writer = new FrameWriter()
    writeFrame(writer, name, body)
    return this.write(writer.take())
  }

  write(chunks: readonly Uint8Array[]): Promise<void> {
    let room = true
    for (const chunk of chunks) room = this.#socket.write(chunk)
    if (room || this.closed) return Promise.resolve()
    return new Promise((resolve) => (this.#drained = resolve))
  }

  /** The next frame of that name; others before it are dropped. */
  async next<Name extends FrameName>(name: Name): Promise<Extract<Frame, { name: Name }>> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame?.name === name) return frame as Extract<Frame, { name: Name }>
      if (frame !== undefined) continue
      if (this.closed) throw new Error(`the connection ended before \`${name}\` came`)
      await new Promise<void>((resolve) => (this.#arrived = resolve))
    }
  }

  /** From now on nothing is read from the socket. */
  stopReading(): void {
    this.#socket.pause()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Uint8Array): void {
    this.#reader.feed(chunk)
    while (this.#reader.next()) {
      this.#frames.push(readFrame(this.#reader.bytes, this.#reader.view, this.#reader.start, this.#reader.end))
    }
    this.#arrived?.()
  }
}
