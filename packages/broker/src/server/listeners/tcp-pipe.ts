// hot path (bench: end to end over TCP)
import type { Socket } from 'node:net'
import type { Pipe } from './pipe.ts'

export class TcpPipe implements Pipe {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  send(buffers: readonly Uint8Array[], taken: () => void): void {
    const socket = this.#socket
    if (socket.destroyed) return
    const last = buffers.length - 1
    // One writev for all of them.
    if (last > 0) socket.cork()
    for (let n = 0; n < last; n++) socket.write(buffers[n]!)
    socket.write(buffers[last]!, taken)
    if (last > 0) socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
