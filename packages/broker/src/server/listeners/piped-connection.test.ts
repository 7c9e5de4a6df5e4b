import { expect, test } from 'vitest'
import type { Peer, Session } from '../../protocols/session.ts'
import type { Pipe } from './pipe.ts'
import { PipedConnection } from './piped-connection.ts'

const peer: Peer = { address: 'test', transport: 'tcp', secure: false }
const session = { writable: () => {}, connectionClosed: () => {} } as unknown as Session

/** Takes what it is given when it is told to. */
class SlowPipe implements Pipe {
  bufferedBytes = 0
  readonly sent: (readonly Uint8Array[])[] = []
  readonly #untold: (() => void)[] = []

  send(buffers: readonly Uint8Array[], taken: () => void): void {
    this.sent.push(buffers)
    this.#untold.push(taken)
  }

  take(): void {
    this.#untold.shift()!()
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

function open(): { readonly pipe: SlowPipe; readonly connection: PipedConnection } {
  const pipe = new SlowPipe()
  const connection = new PipedConnection(pipe, peer, 1_000_000)
  connection.attach(session)
  return { pipe, connection }
}

const chunks = [new Uint8Array(10_000), new Uint8Array(10)]

test('what was lent is given back when the pipe has taken it, and all that goes with it', () => {
  const { pipe, connection } = open()
  const done: string[] = []
  connection.write(chunks, () => done.push('a'))
  connection.write(chunks)
  connection.write(chunks, () => done.push('b'))
  connection.flush()
  connection.write(chunks, () => done.push('c'))
  connection.flush()
  expect(pipe.sent).toHaveLength(2)
  expect(done).toEqual([])
  pipe.take()
  expect(done).toEqual(['a', 'b'])
  pipe.take()
  expect(done).toEqual(['a', 'b', 'c'])
})

test('when the connection goes all is given back, once, whether it was on its way or not', () => {
  const { pipe, connection } = open()
  const done: string[] = []
  connection.write(chunks, () => done.push('on its way'))
  connection.flush()
  connection.write(chunks, () => done.push('not sent'))
  connection.gone()
  expect(done).toEqual(['on its way', 'not sent'])
  pipe.take()
  connection.flush()
  expect(done).toHaveLength(2)
  expect(pipe.sent).toHaveLength(1)
})

test('after the connection was told to close nothing is taken, and what is lent is given back at once', () => {
  const { pipe, connection } = open()
  const done: string[] = []
  connection.write(chunks, () => done.push('before'))
  connection.close()
  expect(pipe.sent).toHaveLength(1)
  connection.write(chunks, () => done.push('after'))
  expect(done).toEqual(['after'])
  pipe.take()
  expect(done).toEqual(['after', 'before'])
  connection.gone()
  connection.write(chunks, () => done.push('later'))
  expect(done).toEqual(['after', 'before', 'later'])
})
