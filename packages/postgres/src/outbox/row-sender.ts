import { type Millrace, MillraceError, type Publisher } from '@millrace/client'
import type { OutboxRow } from './message-rows.ts'

/**
 * Bytes that are under way to one destination. Less than what a publisher gathers into one batch, so that a chunk is one batch per
 * partition: the broker takes all messages of a key, or none, and no later one is sent before that is known.
 */
const CHUNK_BYTES = 48 * 1024
/** What a message takes beside body and key: generous, because a chunk must not be cut. */
const OVERHEAD_BYTES = 256
const PUBLISHERS_MAX = 100

/** What the broker will not take however often it is asked. Everything else may be mended without touching the message. */
const OWN_FAULT: ReadonlySet<string> = new Set(['record_too_large', 'illegal_name', 'bad_request', 'bad_batch'])

export interface Outcome {
  readonly sent: readonly OutboxRow[]
  readonly parked: readonly { readonly row: OutboxRow; readonly error: MillraceError }[]
  /** Why the rest was not sent. */
  readonly failed: readonly { readonly destination: string; readonly error: unknown }[]
}

interface OpenOutcome {
  readonly sent: OutboxRow[]
  readonly parked: { readonly row: OutboxRow; readonly error: MillraceError }[]
  readonly failed: { readonly destination: string; readonly error: unknown }[]
}

/** Publishes rows: in order per destination, destinations side by side. */
export class RowSender {
  readonly #millrace: Pick<Millrace, 'publisher'>
  readonly #publishers = new Map<string, Publisher>()

  constructor(millrace: Pick<Millrace, 'publisher'>) {
    this.#millrace = millrace
  }

  /** @param rows in the order of their ids. Never rejects. */
  async send(rows: readonly OutboxRow[]): Promise<Outcome> {
    const outcome: OpenOutcome = { sent: [], parked: [], failed: [] }
    const byDestination = new Map<string, OutboxRow[]>()
    for (const row of rows) {
      const others = byDestination.get(row.destination)
      if (others === undefined) byDestination.set(row.destination, [row])
      else others.push(row)
    }
    await Promise.all([...byDestination.values()].map((some) => this.#sendTo(some, outcome)))
    return outcome
  }

  async close(): Promise<void> {
    const publishers = [...this.#publishers.values()]
    this.#publishers.clear()
    await Promise.all(publishers.map((publisher) => publisher.close()))
  }

  async #sendTo(rows: readonly OutboxRow[], outcome: OpenOutcome): Promise<void> {
    try {
      for (const chunk of chunksOf(rows)) await this.#sendChunk(chunk, outcome)
    } catch (error) {
      outcome.failed.push({ destination: rows[0]!.destination, error })
    }
  }

  /** @throws the first error that is not the fault of a message */
  async #sendChunk(rows: readonly OutboxRow[], outcome: OpenOutcome): Promise<void> {
    const results = await Promise.allSettled(rows.map((row) => this.#publish(row)))
    const faulty: { readonly row: OutboxRow; readonly error: MillraceError }[] = []
    let failure: { readonly error: unknown } | undefined
    for (const [n, result] of results.entries()) {
      const row = rows[n]!
      if (result.status === 'fulfilled') outcome.sent.push(row)
      else if (isOwnFault(result.reason)) faulty.push({ row, error: result.reason })
      else failure ??= { error: result.reason }
    }
    if (failure !== undefined) throw failure.error
    if (rows.length === 1) outcome.parked.push(...faulty)
    // One bad message may have spoilt the batch for the others.
    else for (const { row } of faulty) await this.#sendChunk([row], outcome)
  }

  async #publish(row: OutboxRow): Promise<void> {
    const { key, headers, addedAtMs } = row
    await this.#publisherOf(row.destination).publish(row.body, {
      headers,
      timestampMs: addedAtMs,
      ...(key === null ? {} : { key }),
    })
  }

  #publisherOf(destination: string): Publisher {
    let publisher = this.#publishers.get(destination)
    if (publisher !== undefined) return publisher
    publisher = this.#millrace.publisher(destination)
    this.#publishers.set(destination, publisher)
    return publisher
  }

  /** Between batches: lets go of publishers, oldest first, where there are too many. */
  async trim(): Promise<void> {
    for (const [destination, publisher] of this.#publishers) {
      if (this.#publishers.size <= PUBLISHERS_MAX) return
      this.#publishers.delete(destination)
      await publisher.close()
    }
  }
}

function isOwnFault(error: unknown): error is MillraceError {
  return error instanceof MillraceError && OWN_FAULT.has(error.code)
}

function* chunksOf(rows: readonly OutboxRow[]): Generator<readonly OutboxRow[]> {
  let chunk: OutboxRow[] = []
  let bytes = 0
  for (const row of rows) {
    const weight = weightOf(row)
    if (chunk.length > 0 && bytes + weight > CHUNK_BYTES) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(row)
    bytes += weight
  }
  if (chunk.length > 0) yield chunk
}

function weightOf(row: OutboxRow): number {
  let bytes = row.body.length + (row.key?.length ?? 0) + OVERHEAD_BYTES
  // A character has at most three bytes of UTF-8.
  for (const name in row.headers) bytes += 3 * name.length + 3 * row.headers[name]!.length + 10
  return bytes
}
