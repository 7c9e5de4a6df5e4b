// hot path (packages/streams/test/throughput.mjs)
import { partitionOfKey, type PublishOptions, type Serializer, type Transaction, type tombstone } from '@millrace/client'
import type { FlowRecord } from '../flow-record.ts'
import type { Outputs, TargetSpec } from '../operators/operator.ts'

interface Message {
  readonly body: Uint8Array | typeof tombstone
  readonly options: Parameters<Transaction['publish']>[2]
}

interface Output {
  readonly destination: string
  /** Undefined while its schema takes its time. */
  message: Message | undefined
}

interface EncodedMessage {
  readonly body: Uint8Array
  readonly options: PublishOptions
}

/** Besides body and key. */
const OUTPUT_BYTES = 64
const encoder = new TextEncoder()

/** What the batch under way publishes. */
export class BatchOutputs implements Outputs {
  readonly #list: Output[] = []
  #bytes = 0
  /** Of schemas that take their time. */
  #waiting: Promise<void>[] = []
  readonly #serializer: Serializer
  /** How many partitions a topic has, by destination. */
  readonly #partitions: ReadonlyMap<string, number>

  constructor(serializer: Serializer, partitions: ReadonlyMap<string, number>) {
    this.#serializer = serializer
    this.#partitions = partitions
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  /** Where it stands, for `backTo`. */
  get mark(): number {
    return this.#list.length
  }

  backTo(mark: number): void {
    this.#list.length = mark
    this.#waiting = []
    if (mark === 0) this.#bytes = 0
  }

  /** Undefined when there is nothing to wait for. @throws what an asynchronous schema found */
  settled(): Promise<unknown> | undefined {
    if (this.#waiting.length === 0) return undefined
    const waiting = this.#waiting
    this.#waiting = []
    return Promise.all(waiting)
  }

  publish(transaction: Transaction): void {
    for (const { destination, message } of this.#list) transaction.publish(destination, message!.body, message!.options)
  }

  // ---- Outputs --------------------------------------------------------------------------------------------------------

  toKeyTopic(destination: string, record: FlowRecord, key: string): void {
    const keyBytes = encoder.encode(key)
    const headers = headersOf(record)
    const options = {
      key: keyBytes,
      timestampMs: record.timestampMs,
      partition: partitionOfKey(keyBytes, this.#partitions.get(destination)!),
      ...(headers === undefined ? {} : { headers }),
    }
    this.add(destination, this.#serializer.serialize(record.value), options)
  }

  toTarget(target: TargetSpec, record: FlowRecord): void {
    const key = target.key?.(record.value as never, record)
    const headers = target.headers?.(record.value as never, record)
    const options: PublishOptions = {
      timestampMs: record.timestampMs,
      ...(key === undefined ? {} : { key }),
      ...(headers === undefined ? {} : { headers }),
    }
    const encoded = target.encode(record.value as never, options) as EncodedMessage | Promise<EncodedMessage>
    const { destination } = target
    if (!(encoded instanceof Promise)) return this.#push(destination, this.#placed(destination, record, encoded))
    // It keeps its place in the order.
    const output: Output = { destination, message: undefined }
    this.#list.push(output)
    this.#bytes += OUTPUT_BYTES
    const done = this.#placedLater(output, record, encoded)
    // Whoever waits for `settled` hears of it; of a record that was given up meanwhile nobody needs to.
    done.catch(() => {})
    this.#waiting.push(done)
  }

  add(destination: string, body: Message['body'], options: Message['options']): void {
    this.#push(destination, { body, options })
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  /** With the record's key, where the message has none of its own, and the partition to which it belongs. */
  #placed(destination: string, record: FlowRecord, { body, options }: EncodedMessage): Message {
    const key = options.key ?? record.key
    if (key === undefined) return { body, options }
    const keyBytes = typeof key === 'string' ? encoder.encode(key) : key
    const partitions = this.#partitions.get(destination)
    const partition = partitions === undefined ? {} : { partition: partitionOfKey(keyBytes, partitions) }
    return { body, options: { ...options, key: keyBytes, ...partition } }
  }

  async #placedLater(output: Output, record: FlowRecord, encoded: Promise<EncodedMessage>): Promise<void> {
    const message = await encoded
    output.message = this.#placed(output.destination, record, message)
    this.#bytes += message.body.length
  }

  #push(destination: string, message: Message): void {
    this.#list.push({ destination, message })
    this.#bytes += (typeof message.body === 'symbol' ? 0 : message.body.length) + OUTPUT_BYTES
  }
}

/** Undefined: it has none. */
function headersOf(record: FlowRecord): Readonly<Record<string, Uint8Array>> | undefined {
  const headers = Object.entries(record.headers).filter((header): header is [string, Uint8Array] => header[1] !== null)
  return headers.length === 0 ? undefined : Object.fromEntries(headers)
}
