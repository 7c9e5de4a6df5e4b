import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Delivery, Reader, StartPosition } from '../../core/broker.ts'
import type { Platform, Timer } from '../../ports/platform.ts'
import { recordToJson } from '../../protocols/api/message-json.ts'

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
  /** Id of the last event that the client saw: it goes on after that one. */
  readonly lastEventId: string | undefined
}

interface PartitionTail {
  reader: Reader | undefined
  /** Next offset to send, or undefined before the first message. */
  next: number | undefined
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
  #records: { readonly delivery: Delivery; readonly reader: RecordReader } | undefined
  #wake: (() => void) | undefined
  #heartbeat: Timer | undefined
  #heartbeatDue = false
  #window = WINDOW_MESSAGES
  #ended: MillraceError | undefined
  #closed = false

  /** @throws MillraceError `not_found`, `bad_request`, `offset_out_of_range` */
  constructor(broker: Broker, platform: Platform, options: TailOptions, onClosed: () => void) {
    this.#broker = broker
    this.#platform = platform
    this.#options = options
    this.#onClosed = onClosed
    const resumed = parseEventId(options.lastEventId)
    const chosen = options.partition === undefined ? broker.partitions(options.source) : [options.partition]
    this.#window = Math.max(1, Math.floor(WINDOW_MESSAGES / chosen.length))
    try {
      for (const partition of chosen) {
        const next = resumed.get(partition)
        this.#open(partition, next === undefined ? options.from : { offset: next })
      }
    } catch (error) {
      this.close()
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
    for (const { reader } of this.#partitions.values()) reader?.close()
    this.#wake?.()
    this.#onClosed()
  }

  // ---- from the broker ----------------------------------------------------------------------------------------------

  #open(partition: number, from: StartPosition): void {
    const state: PartitionTail = {
      reader: undefined,
      next: typeof from === 'object' && 'offset' in from ? from.offset : undefined,
    }
    this.#partitions.set(partition, state)
    state.reader = this.#broker.read(
      this.#options.source,
      { partition, from },
      {
        deliver: (delivery) => {
          this.#waiting.push(delivery)
          this.#wake?.()
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
      this.#records !== undefined
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
    while (text.length < CHUNK_BYTES && !this.#closed) {
      const event = this.#nextEvent()
      if (event === undefined) break
      text += event
    }
    if (text === '' && this.#heartbeatDue) text = ': heartbeat\n\n'
    this.#heartbeatDue = false
    if (text === '' && this.#ended !== undefined) {
      const { code, message } = this.#ended
      text = `event: end\ndata: ${JSON.stringify({ code, detail: message })}\n\n`
      this.close()
    }
    return text
  }

  #nextEvent(): string | undefined {
    for (;;) {
      this.#records ??= this.#nextRecords()
      if (this.#records === undefined) return undefined
      const { delivery, reader } = this.#records
      while (reader.next()) {
        const offset = delivery.baseOffset + reader.offsetDelta
        if (offset < delivery.first) continue
        if (offset > delivery.last) break
        this.#partitions.get(delivery.partition)!.next = offset + 1
        const message = JSON.stringify(recordToJson(delivery.partition, offset, reader))
        return `id: ${this.#eventId()}\ndata: ${message}\n\n`
      }
      // The whole delivery is on its way: its credit comes back.
      this.#records = undefined
      this.#partitions.get(delivery.partition)!.reader!.grant(delivery.last - delivery.first + 1)
    }
  }

  #nextRecords(): { readonly delivery: Delivery; readonly reader: RecordReader } | undefined {
    const delivery = this.#waiting.shift()
    return delivery === undefined ? undefined : { delivery, reader: new RecordReader(delivery.batch) }
  }

  #eventId(): string {
    const positions: string[] = []
    for (const [partition, { next }] of this.#partitions) if (next !== undefined) positions.push(`${partition}:${next}`)
    return positions.join(',')
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

/** @throws MillraceError `bad_request` */
function parseEventId(id: string | undefined): ReadonlyMap<number, number> {
  const positions = new Map<number, number>()
  if (id === undefined || id === '') return positions
  if (!/^\d{1,9}:\d{1,15}(,\d{1,9}:\d{1,15})*$/.test(id)) {
    throw new MillraceError('bad_request', 'Last-Event-ID is not an id that this broker sent.')
  }
  for (const position of id.split(',')) {
    const [partition, next] = position.split(':') as [string, string]
    positions.set(Number(partition), Number(next))
  }
  return positions
}
