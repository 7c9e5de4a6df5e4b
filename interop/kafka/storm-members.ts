import { setTimeout as sleep } from 'node:timers/promises'
import { Consumer, stringDeserializers } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'

const RETRY_MS = 20

/** One consumer of a group. */
export interface StormMember {
  readonly name: string
  start(): Promise<void>
  /** Says that it goes, after it committed what it read. */
  leave(): Promise<void>
  /** Gives up what is left of it once its connections were cut. */
  abandon(): Promise<void>
}

export interface StormSettings {
  readonly brokers: string[]
  readonly group: string
  readonly topic: string
  /** Of a member that is not heard of. */
  readonly sessionTimeoutMs: number
  readonly processed: (value: string) => void
}

/** kafkajs: the members agree among themselves. */
export function kafkajsMember(name: string, settings: StormSettings): StormMember {
  const { brokers, group, topic, sessionTimeoutMs, processed } = settings
  const retry = {
    initialRetryTime: RETRY_MS,
    maxRetryTime: 10 * RETRY_MS,
    retries: 5,
    restartOnFailure: () => Promise.resolve(false),
  }
  const kafka = new Kafka({ clientId: name, brokers, logLevel: logLevel.NOTHING, retry })
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: 2 * sessionTimeoutMs,
    heartbeatInterval: 50,
    maxWaitTimeInMs: 50,
  })
  return {
    name,
    async start() {
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({ eachMessage: ({ message }) => Promise.resolve(processed(message.value!.toString())) })
    },
    leave: () => consumer.disconnect(),
    abandon: () => consumer.disconnect(),
  }
}

/** @platformatic/kafka: the broker assigns (KIP-848). */
export function platformaticMember(name: string, settings: StormSettings): StormMember {
  return new PlatformaticMember(name, settings)
}

class PlatformaticMember implements StormMember {
  readonly name: string
  readonly #settings: StormSettings
  readonly #consumer: Consumer<string, string, string, string>
  #stream: Awaited<ReturnType<Consumer<string, string, string, string>['consume']>> | undefined
  /** Offsets that were read and not committed, by partition. */
  readonly #read = new Map<number, bigint>()
  readonly #committed = new Map<number, bigint>()
  #committing: Promise<void> | undefined
  #isGone = false

  constructor(name: string, settings: StormSettings) {
    this.name = name
    this.#settings = settings
    this.#consumer = new Consumer({
      clientId: name,
      bootstrapBrokers: settings.brokers,
      groupId: settings.group,
      groupProtocol: 'consumer',
      deserializers: stringDeserializers,
      retries: 5,
      retryDelay: RETRY_MS,
      metadataMaxAge: 600_000,
    })
  }

  async start(): Promise<void> {
    const { topic, processed } = this.#settings
    const stream = await this.#consumer.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      maxWaitTime: 50,
      autocommit: false,
    })
    this.#stream = stream
    stream.on('data', ({ partition, offset, value }) => {
      // What comes for a partition that was taken away is the next owner's.
      if (!this.#owns(partition)) return
      processed(value)
      // With each assignment the client reads again from what was committed before.
      if (offset < (this.#committed.get(partition) ?? 0n)) return
      this.#read.set(partition, offset + 1n)
      this.#committing ??= this.#commit()
    })
    // A stream that ends because its member was cut off.
    stream.on('error', () => undefined)
  }

  async leave(): Promise<void> {
    await this.#committing
    await this.#stream?.close()
    await this.#committing
    await this.#consumer.close()
  }

  abandon(): Promise<void> {
    this.#isGone = true
    // It cannot say goodbye, and complains.
    return new Promise((resolve) => this.#consumer.close(true, () => resolve()))
  }

  #owns(partition: number): boolean {
    return this.#consumer.assignments?.some(({ partitions }) => partitions.includes(partition)) === true
  }

  async #commit(): Promise<void> {
    while (this.#read.size > 0 && !this.#isGone) {
      const mine = [...this.#read].filter(([partition]) => this.#owns(partition))
      this.#read.clear()
      const offsets = mine.map(([partition, offset]) => ({ topic: this.#settings.topic, partition, offset, leaderEpoch: 0 }))
      for (const [partition, offset] of mine) this.#committed.set(partition, offset)
      try {
        if (offsets.length > 0) await this.#consumer.commit({ offsets })
      } catch {
        // It is in another epoch, which it will know soon.
        for (const [partition, offset] of mine) {
          this.#committed.delete(partition)
          if (!this.#read.has(partition)) this.#read.set(partition, offset)
        }
        await sleep(RETRY_MS)
      }
    }
    this.#committing = undefined
  }
}
