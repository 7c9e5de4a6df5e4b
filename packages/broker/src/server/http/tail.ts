import { MillraceError } from '../../base/errors.ts'
import type { Broker, Delivery, Reader, StartPosition } from '../../core/broker.ts'
import type { Platform, Timer } from '../../ports/platform.ts'
import { recordToJson } from '../../protocols/api/message-json.ts'
import { formatPositions, parsePositions } from '../../protocols/api/positions.ts'
import { DeliveredRecords } from '../../protocols/delivered-records.ts'

const HEARTBEAT_MS = 15_000
/** Messages that may wait for the client, over all partitions. */
const WINDOW_MESSAGES = 256
/** Events are handed to the connection in pieces of about this size. */
const CHUNK_BYTES = 64 * 1024
const encoder = new TextEncoder()

export interface TailOptions {
  /** `queue:NAME` or `topic:NAME` */
  readonly source: string
  /** One partition, or undefined for all. */
  readonly partition: number | undefined
  readonly from: StartPosition
  /** Selector; undefined for all messages. */
  readonly filter: string | undefined
  /** Id of the last event that the client saw: it goes on after that one. */
  readonly lastEventId: string | undefined
  /** Asked before messages are sent on. @throws MillraceError when it may not go on */
  authorize(): void
}

interface PartitionTail {
  reader: Reader | undefined
  /** Next offset to send, or undefined while that is not known. */
  next: number | undefined
  /** What is before it was looked at; messages of it may wait. */
  passed: number
}

/**
 * The new messages of a queue or topic as server-sent events, without consuming them. A client that reads slowly makes the
 * readers stop: at most `WINDOW_MESSAGES` wait for it.
 *
 * The id of an event says where every partition stands after it (`0:15,1:22`), so that one id resumes all of them.
 */
export class Tail {
  readonly #broker: Broker
  readonly #platform: Platform
  readonly #options: TailOptions
  readonly #partitions = new Map<number, PartitionTail>()
  readonly #waiting: Delivery[] = []
  readonly #onClosed: () => void
  readonly #records = new DeliveredRecords()
  /** What `#records` walks. */
  #sending: Delivery | undefined
  #wake: (() => void) | undefined
  #heartbeat: Timer | undefined
  #heartbeatDue = false
  #window = WINDOW_MESSAGES
  #ended: MillraceError | undefined
  #closed = false

  /** @throws MillraceError `not_found`, `bad_request`, `bad_selector`, `offset_out_of_range` */
  constructor(broker: Broker, platform: Platform, options: TailOptions, onClosed: () => void) {
    this.#broker = broker
    this.#platform = platform
    this.#options = options
    this.#onClosed = onClosed
    const resumed = parsePositions(options.lastEventId ?? '', 'Last-Event-ID')
    const chosen = options.partition === undefined ? broker.partitions(options.source) : [options.partition]
    this.#window = Math.max(1, Math.floor(WINDOW_MESSAGES / chosen.length))
    try {
      for (const partition of chosen) {
        const next = resumed.get(partition)
        this.#open(partition, next === undefined ? options.from : { offset: next })
      }
    } catch (error) {
      this.#closed = true
      this.#closeReaders()
      throw error
    }
    this.#beat()
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => controller.enqueue(encoder.encode(': tail\n\n')),
        pull: async (controller) => {
          await this.#ready()
          const text = this.#events()
          if (text !== '') controller.enqueue(encoder.encode(text))
          if (this.#closed) controller.close()
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 1 },
    )
  }

  /** Ends the stream; the client connects again later. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#heartbeat?.cancel()
    this.#closeReaders()
    this.#wake?.()
    this.#onClosed()
  }

  #closeReaders(): void {
    for (const { reader } of this.#partitions.values()) reader?.close()
  }

  // ---- from the broker ----------------------------------------------------------------------------------------------

  #open(partition: number, from: StartPosition): void {
    const state: PartitionTail = {
      reader: undefined,
      next: typeof from === 'object' && 'offset' in from ? from.offset : undefined,
      passed: 0,
    }
    this.#partitions.set(partition, state)
    const { source, filter } = this.#options
    state.reader = this.#broker.read(
      source,
      { partition, from, ...(filter === undefined ? {} : { filter }) },
      {
        deliver: (delivery) => {
          this.#waiting.push(delivery)
          this.#wake?.()
        },
        passed: (_, next) => {
          state.passed = next
        },
        closed: (reason) => {
          this.#ended ??= reason
          this.#wake?.()
        },
      },
    )
    state.reader.grant(this.#window)
  }

  // ---- to the client ------------------------------------------------------------------------------------------------

  /** Resolves when there is something to send. */
  #ready(): Promise<void> | undefined {
    if (
      this.#closed ||
      this.#heartbeatDue ||
      this.#ended !== undefined ||
      this.#waiting.length > 0 ||
      this.#sending !== undefined
    )
      return undefined
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }

  #events(): string {
    let text = ''
    while (text.length < CHUNK_BYTES && !this.#closed && this.#mayGoOn()) {
      const event = this.#nextEvent()
      if (event === undefined) break
      text += event
    }
    if (text === '' && this.#heartbeatDue) text = this.#heartbeatText()
    this.#heartbeatDue = false
    if (text === '' && this.#ended !== undefined) {
      const { code, message } = this.#ended
      text = `event: end\ndata: ${JSON.stringify({ code, detail: message })}\n\n`
      this.close()
    }
    return text
  }

  #mayGoOn(): boolean {
    try {
      this.#options.authorize()
      return true
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#waiting.length = 0
      this.#sending = undefined
      this.#ended = error
      return false
    }
  }

  #nextEvent(): string | undefined {
    for (;;) {
      const delivery = (this.#sending ??= this.#nextDelivery())
      if (delivery === undefined) return undefined
      const record = this.#records.next()
      const partition = this.#partitions.get(delivery.partition)!
      if (record !== undefined) {
        const { offset } = this.#records
        partition.next = offset + 1
        const message = JSON.stringify(recordToJson(delivery.partition, offset, record))
        return `id: ${this.#eventId()}\ndata: ${message}\n\n`
      }
      // The whole delivery is on its way: its credit comes back.
      this.#sending = undefined
      partition.reader!.grant(delivery.last - delivery.first + 1)
    }
  }

  #nextDelivery(): Delivery | undefined {
    const delivery = this.#waiting.shift()
    if (delivery !== undefined) this.#records.begin(delivery)
    return delivery
  }

  /** An id without data is no event, but kept: whoever comes back does not have the same messages looked through again. */
  #heartbeatText(): string {
    if (this.#options.filter === undefined) return ': heartbeat\n\n'
    for (const state of this.#partitions.values()) state.next = Math.max(state.next ?? 0, state.passed)
    return `id: ${this.#eventId()}\n\n`
  }

  #eventId(): string {
    return formatPositions([...this.#partitions].map(([partition, { next }]) => [partition, next]))
  }

  /** Keeps proxies from closing a quiet stream, and notices partitions that were added. */
  #beat(): void {
    this.#heartbeat = this.#platform.scheduler.after(HEARTBEAT_MS, () => {
      this.#heartbeatDue = true
      this.#openNewPartitions()
      this.#wake?.()
      this.#beat()
    })
  }

  #openNewPartitions(): void {
    if (this.#options.partition !== undefined || this.#ended !== undefined) return
    try {
      for (const partition of this.#broker.partitions(this.#options.source))
        if (!this.#partitions.has(partition)) this.#open(partition, 'earliest')
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#ended ??= error
    }
  }
}
