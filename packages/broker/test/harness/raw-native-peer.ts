import { once } from 'node:events'
import { connect } from 'node:net'
import { type Frame, type FrameBody, FrameReader, type FrameName, readFrame } from '@millrace/wire'
import { bytesOf } from '../native/fakes.ts'

/** A TCP connection that speaks frames, and nothing by itself. */
export interface RawPeer {
  send<N extends FrameName>(name: N, body: FrameBody<N>): void
  /** The next frame that is no heartbeat. */
  next(): Promise<Frame>
  close(): void
}

/** @param address `HOST:PORT` */
export async function openRawPeer(address: string): Promise<RawPeer> {
  const [host, port] = address.split(':') as [string, string]
  const socket = connect({ host, port: Number(port) })
  await once(socket, 'connect')
  const reader = new FrameReader(1_000_000)
  const frames: Frame[] = []
  let arrived: (() => void) | undefined
  socket.on('data', (bytes) => {
    reader.feed(bytes)
    while (reader.next()) {
      const frame = readFrame(reader.bytes, reader.view, reader.start, reader.end)
      if (frame.name !== 'ping') frames.push(frame)
    }
    arrived?.()
  })
  return {
    send: (name, body) => void socket.write(bytesOf(name, body)),
    async next() {
      while (frames.length === 0) {
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      }
      return frames.shift()!
    },
    close: () => void socket.destroy(),
  }
}
