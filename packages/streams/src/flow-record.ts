// hot path (packages/streams/test/throughput.mjs)
import type { StoredMessage } from '@millrace/client'
import type { RecordInfo } from './api.ts'

/** The message from which a record comes. */
export interface Origin {
  readonly topic: string
  readonly partition: number
  /** -1 for what time brought about. */
  readonly offset: number
  readonly headers: RecordInfo['headers']
}

/** Headers are decoded when they are looked at. */
export class MessageOrigin implements Origin {
  readonly topic: string
  readonly message: StoredMessage

  constructor(topic: string, message: StoredMessage) {
    this.topic = topic
    this.message = message
  }

  get partition(): number {
    return this.message.partition
  }

  get offset(): number {
    return this.message.offset
  }

  get headers(): RecordInfo['headers'] {
    return this.message.headers
  }
}

/** A record on its way through the operators. Never changed: each operator makes another. */
export class FlowRecord implements RecordInfo {
  readonly value: unknown
  readonly key: string | undefined
  readonly timestampMs: number
  readonly origin: Origin

  constructor(value: unknown, key: string | undefined, timestampMs: number, origin: Origin) {
    this.value = value
    this.key = key
    this.timestampMs = timestampMs
    this.origin = origin
  }

  get headers(): RecordInfo['headers'] {
    return this.origin.headers
  }

  get topic(): string {
    return this.origin.topic
  }

  get partition(): number {
    return this.origin.partition
  }

  get offset(): number {
    return this.origin.offset
  }

  with(value: unknown): FlowRecord {
    return new FlowRecord(value, this.key, this.timestampMs, this.origin)
  }
}
