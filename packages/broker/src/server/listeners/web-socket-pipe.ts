import type { WebSocket } from 'ws'
import type { Pipe } from './pipe.ts'

const binary = { binary: true }

/** The byte stream in binary messages; where a message ends means nothing. */
export class WebSocketPipe implements Pipe {
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  send(buffers: readonly Uint8Array[], taken: () => void): void {
    const last = buffers.length - 1
    for (let n = 0; n < last; n++) this.#socket.send(buffers[n]!, binary)
    // An error is followed by `close`, which tells the session.
    this.#socket.send(buffers[last]!, binary, (error) => {
      if (error === undefined || error === null) taken()
    })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.close(1000)
  }

  destroy(): void {
    this.#socket.terminate()
  }
}
