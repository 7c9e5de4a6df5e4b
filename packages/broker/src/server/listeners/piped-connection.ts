// hot path (bench: end to end over TCP)
import type { Connection, Peer, Session } from '../../protocols/session.ts'
import { OutputQueue } from './output-queue.ts'
import type { Pipe } from './pipe.ts'

/** How long a peer may take to read the last bytes and to close its side. */
const CLOSE_TIMEOUT_MS = 5000
/** Below this a session may fill the pipe again: enough for the time that takes. */
const BACKLOG_LOW_BYTES = 256 * 1024

/**
 * A pipe as a session sees it. Writes of one turn go out together. A peer that writes but does not read is not read from
 * either, once `outputBytesMax` wait for it.
 */
export class PipedConnection implements Connection {
  readonly peer: Peer
  readonly backlogLowBytes: number
  readonly #backlogHighBytes: number
  readonly #pipe: Pipe
  readonly #output = new OutputQueue()
  /** To be told when what is in `#output` was taken. */
  #lenders: (() => void)[] = []
  /** To be told of what the pipe has not taken yet. */
  readonly #waiting = new Set<readonly (() => void)[]>()
  #session: Session | undefined
  #flushScheduled = false
  #aboveLow = false
  #pausedBySession = false
  #pausedByBacklog = false
  #state: 'open' | 'closing' | 'gone' = 'open'
  #closeTimer: NodeJS.Timeout | undefined

  constructor(pipe: Pipe, peer: Peer, outputBytesMax: number) {
    this.#pipe = pipe
    this.peer = peer
    this.#backlogHighBytes = outputBytesMax
    this.backlogLowBytes = Math.min(BACKLOG_LOW_BYTES, Math.floor(outputBytesMax / 4))
  }

  // ---- for the listener ---------------------------------------------------------------------------------------------

  attach(session: Session): void {
    this.#session = session
  }

  received(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#session!.receive(bytes)
  }

  /** The pipe is closed: the last call. */
  gone(): void {
    this.#state = 'gone'
    clearTimeout(this.#closeTimer)
    for (const lenders of this.#waiting) tell(lenders)
    tell(this.#lenders)
    this.#waiting.clear()
    this.#lenders = []
    this.#session!.connectionClosed()
  }

  /** Ends the connection at once; what was not sent is lost. */
  cut(): void {
    this.#pipe.destroy()
  }

  // ---- for the session ----------------------------------------------------------------------------------------------

  get backlogBytes(): number {
    return this.#output.bytes + this.#pipe.bufferedBytes
  }

  write(chunks: readonly Uint8Array[], done?: () => void): void {
    if (this.#state !== 'open') return done?.()
    this.#output.push(chunks)
    if (done !== undefined) this.#lenders.push(done)
    if (this.#flushScheduled || this.#output.bytes === 0) return
    this.#flushScheduled = true
    process.nextTick(flush, this)
  }

  close(): void {
    if (this.#state !== 'open') return
    this.flush()
    this.#state = 'closing'
    // Keeps reading, to see the peer close.
    this.#pipe.resume()
    this.#pipe.end()
    this.#closeTimer = setTimeout(() => this.#pipe.destroy(), CLOSE_TIMEOUT_MS)
  }

  pause(): void {
    this.#pausedBySession = true
    this.#pipe.pause()
  }

  resume(): void {
    this.#pausedBySession = false
    if (!this.#pausedByBacklog) this.#pipe.resume()
  }

  /** Sends what was written. Happens by itself at the end of the turn. */
  flush(): void {
    this.#flushScheduled = false
    const buffers = this.#output.take()
    if (buffers.length === 0 || this.#state !== 'open') return
    this.#pipe.send(buffers, this.#lenders.length === 0 ? this.#taken : this.#lent())
    const backlog = this.#pipe.bufferedBytes
    if (backlog > this.backlogLowBytes) this.#aboveLow = true
    if (backlog > this.#backlogHighBytes && !this.#pausedByBacklog) {
      this.#pausedByBacklog = true
      this.#pipe.pause()
    }
  }

  /** @returns what the pipe calls when it has taken all there is */
  #lent(): () => void {
    const lenders = this.#lenders
    this.#lenders = []
    this.#waiting.add(lenders)
    return () => {
      // Where the connection went first, they know.
      if (this.#waiting.delete(lenders)) tell(lenders)
      this.#taken()
    }
  }

  readonly #taken = (): void => {
    if (!this.#aboveLow || this.#state !== 'open' || this.backlogBytes > this.backlogLowBytes) return
    this.#aboveLow = false
    if (this.#pausedByBacklog) {
      this.#pausedByBacklog = false
      if (!this.#pausedBySession) this.#pipe.resume()
    }
    this.#session!.writable()
  }
}

function tell(lenders: readonly (() => void)[]): void {
  for (const done of lenders) done()
}

function flush(connection: PipedConnection): void {
  connection.flush()
}
