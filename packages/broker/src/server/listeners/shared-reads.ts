// hot path (bench: publish over TCP)
import { Socket, type SocketConstructorOpts } from 'node:net'
import { KIB } from '../../base/units.ts'

const READ_BYTES: number = 128 * KIB
/** After so much from all sockets everything else has its turn: what the disk finished, timers, the other sockets. */
const TURN_BYTES: number = 256 * KIB

/** All sockets are read into the same memory, one after the other: what was read is used up before the next read. Made on first use. */
let readBuffer: Uint8Array | undefined
let turnBytes = 0
/** Sockets that are not read from before the next turn. */
let waiting: Socket[] = []

/**
 * A socket that gives what it reads to `onBytes` at once, in memory that belongs to it during that call only. A chunk of its own
 * for each read, as `data` events have it, keeps the garbage collector busy at a gigabit per second and more.
 * @param accepted a socket that nothing was read from; it must not be used any more
 */
export function readShared(accepted: Socket, onBytes: (bytes: Uint8Array) => void): Socket {
  const handle = takeHandle(accepted)
  if (handle === undefined) return accepted.on('data', onBytes)
  readBuffer ??= new Uint8Array(READ_BYTES)
  const options = {
    handle,
    onread: {
      buffer: readBuffer,
      callback(bytes: number, buffer: Uint8Array): boolean {
        onBytes(new Uint8Array(buffer.buffer, buffer.byteOffset, bytes))
        return mayGoOn(socket, bytes)
      },
    },
  }
  const socket = new Socket(options as SocketConstructorOpts)
  socket.resume()
  return socket
}

/** Node has `onread` for sockets that connect, and its parts for those that were accepted, but no way to ask for it. */
function takeHandle(socket: Socket): object | undefined {
  const owner = socket as unknown as { _handle?: object | null }
  const handle = owner._handle
  if (handle === undefined || handle === null || !('useUserBuffer' in handle)) return undefined
  owner._handle = null
  socket.destroy()
  return handle
}

function mayGoOn(socket: Socket, bytes: number): boolean {
  if (turnBytes === 0) setImmediate(nextTurn)
  turnBytes += bytes
  if (turnBytes < TURN_BYTES) return true
  waiting.push(socket)
  return false
}

function nextTurn(): void {
  turnBytes = 0
  const sockets = waiting
  waiting = []
  for (const socket of sockets) if (!socket.isPaused() && !socket.destroyed) socket.resume()
}
