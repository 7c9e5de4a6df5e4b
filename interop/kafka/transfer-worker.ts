import { setTimeout as sleep } from 'node:timers/promises'
import {
  CompressionTypes,
  type EachBatchPayload,
  type Kafka,
  type KafkaMessage,
  Partitioners,
  type Producer,
  type Transaction,
} from 'kafkajs'
import type { SeededRandom } from '../../packages/broker/test/harness/seeded-random.ts'

const CHUNK_MAX = 10
const PAUSE_MS = 20

export interface Transfer {
  readonly id: number
  readonly from: number
  readonly to: number
  readonly amount: number
}

export interface WorkerSettings {
  readonly kafka: Kafka
  readonly random: SeededRandom
  readonly source: string
  readonly target: string
  readonly targetPartitions: number
  readonly group: string
}

/** Makes two changes of each transfer of a partition, in transactions with the offset. It lives through crashes of the broker. */
export class TransferWorker {
  /** Of the next transfer. */
  position = 0
  commits = 0
  /** Attempts after which it had to ask how far it is. */
  unsure = 0
  aborted = 0
  /** Attempts in which somebody else took the transactional id. */
  replaced = 0
  readonly violations: string[] = []
  readonly #settings: WorkerSettings
  readonly #partition: number
  #opened: { readonly producer: Producer; readonly transaction: Transaction } | undefined
  #busy: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(settings: WorkerSettings, partition: number) {
    this.#settings = settings
    this.#partition = partition
  }

  /** One batch after the other, also when a consumer that was cut off still has one. */
  handle(payload: EachBatchPayload): Promise<void> {
    this.#busy = this.#busy.then(() => this.#handleNow(payload))
    return this.#busy
  }

  async #handleNow(payload: EachBatchPayload): Promise<void> {
    const news = payload.batch.messages.filter(({ offset }) => Number(offset) >= this.position)
    for (let at = 0; at < news.length && !payload.isStale() && !this.#isStopped;) {
      const chunk = news.slice(at, at + this.#settings.random.between(1, CHUNK_MAX))
      if (!(await this.#attempt(chunk))) continue
      payload.resolveOffset(chunk.at(-1)!.offset)
      at += chunk.length
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#busy
    await this.#opened?.producer.disconnect()
  }

  /** @returns whether it is done */
  async #attempt(chunk: readonly KafkaMessage[]): Promise<boolean> {
    const next = Number(chunk.at(-1)!.offset) + 1
    try {
      const { producer, transaction } = (this.#opened ??= await this.#open())
      await this.#fill(transaction, chunk, next)
      const chance = this.#settings.random.next()
      if (chance < 0.1) {
        await transaction.abort()
        this.aborted++
      } else if (chance < 0.15) await this.#commitTooLate(producer, transaction)
      else {
        await transaction.commit()
        this.commits++
        this.position = next
      }
      this.#opened = { producer, transaction: await producer.transaction() }
      return this.position === next
    } catch {
      this.unsure++
      await this.#findOut(next)
      return this.position === next
    }
  }

  async #fill(transaction: Transaction, chunk: readonly KafkaMessage[], next: number): Promise<void> {
    const { target, targetPartitions, group, source } = this.#settings
    const messages = chunk.flatMap(({ value }) => {
      const { id, from, to, amount } = JSON.parse(value!.toString()) as Transfer
      return [
        { partition: from % targetPartitions, value: JSON.stringify({ id, account: from, amount: -amount }) },
        { partition: to % targetPartitions, value: JSON.stringify({ id, account: to, amount }) },
      ]
    })
    const compression = this.#settings.random.next() < 0.5 ? CompressionTypes.GZIP : CompressionTypes.None
    await transaction.send({ topic: target, messages, compression })
    const partitions = [{ partition: this.#partition, offset: String(next) }]
    await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: source, partitions }] })
  }

  /** Commits after somebody else has the transactional id. @throws as it should */
  async #commitTooLate(old: Producer, transaction: Transaction): Promise<void> {
    const { producer } = await this.#open()
    this.replaced++
    try {
      await transaction.commit()
      this.violations.push(`partition ${this.#partition}: a producer that was replaced committed`)
    } finally {
      await Promise.all([producer.disconnect(), old.disconnect()])
    }
  }

  /** Opens the transactional id anew, which ends what was under way, and asks what of it was committed. */
  async #findOut(next: number): Promise<void> {
    const { kafka, group, source } = this.#settings
    await this.#opened?.producer.disconnect()
    this.#opened = undefined
    while (!this.#isStopped) {
      const admin = kafka.admin()
      try {
        this.#opened ??= await this.#open()
        await admin.connect()
        const [topic] = await admin.fetchOffsets({ groupId: group, topics: [source] })
        const committed = Math.max(0, Number(topic!.partitions.find(({ partition }) => partition === this.#partition)!.offset))
        if (committed !== this.position && committed !== next) {
          this.violations.push(`partition ${this.#partition}: ${committed} is committed, not ${this.position} or ${next}`)
        }
        if (committed === next) this.commits++
        this.position = committed
        return
      } catch {
        // The broker is away.
        await sleep(PAUSE_MS)
      } finally {
        await admin.disconnect()
      }
    }
  }

  async #open(): Promise<{ producer: Producer; transaction: Transaction }> {
    const producer = this.#settings.kafka.producer({
      transactionalId: `transfers-${this.#partition}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    try {
      await producer.connect()
      return { producer, transaction: await producer.transaction() }
    } catch (error) {
      await producer.disconnect()
      throw error
    }
  }
}
