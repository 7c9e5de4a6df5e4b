import { decodeBatch } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Delivery, Reader } from '../../core/broker.ts'
import { DEAD_LETTER_HEADERS } from '../../core/delivery/dead-letter-headers.ts'
import { type SpiedMessage, spiedMessage } from './message-log.ts'
import type { Recorder } from './recorder.ts'

/** Reads along where dead letters go, and records them by where they came from. */
export class DeadLetterWatch {
  readonly #broker: Broker
  readonly #recorder: Recorder
  /** By destination and partition. */
  readonly #readers = new Map<string, Reader>()

  constructor(broker: Broker, recorder: Recorder) {
    this.#broker = broker
    this.#recorder = recorder
  }

  /** @param source a queue or subscription, which need not have dead letters */
  watch(source: string): void {
    try {
      const target = this.#targetOf(source)
      if (target === undefined) return
      const { partitions } = this.#broker.destination(target, true)
      for (let partition = 0; partition < partitions; partition++) this.#read(target, partition)
    } catch (error) {
      // Neither the source nor the place for its dead letters has to exist yet.
      if (!(error instanceof MillraceError) || error.code !== 'not_found') throw error
    }
  }

  #read(target: string, partition: number): void {
    const name = `${target} ${partition}`
    if (this.#readers.has(name)) return
    const reader = this.#broker.read(
      target,
      { partition, from: 'earliest' },
      {
        deliver: (delivery) => this.#record(delivery),
        closed: () => void this.#readers.delete(name),
      },
    )
    this.#readers.set(name, reader)
    reader.grant(Infinity)
  }

  #record({ batch, baseOffset, first, last, partition }: Delivery): void {
    for (const record of decodeBatch(batch, baseOffset, first, last)) {
      const message = spiedMessage(record, { partition, offset: record.offset, atMs: this.#recorder.nowMs, attempt: 0 })
      const source = message.headers[DEAD_LETTER_HEADERS.source]
      if (source !== undefined) this.#recorder.log('deadLettered', source).add(explained(message))
    }
  }

  #targetOf(source: string): string | undefined {
    const [, kind, name, subscription] = /^(queue|topic):([^/]+)(?:\/(.+))?$/.exec(source) ?? []
    if (kind === 'queue') return this.#broker.queue(name!).delivery.deadLetter
    return subscription === undefined ? undefined : this.#broker.subscription(name!, subscription).delivery.deadLetter
  }
}

function explained(message: SpiedMessage): SpiedMessage {
  const { headers } = message
  return {
    ...message,
    attempt: Number(headers[DEAD_LETTER_HEADERS.attempts] ?? 0),
    reason: headers[DEAD_LETTER_HEADERS.error] ?? headers[DEAD_LETTER_HEADERS.reason],
  }
}
