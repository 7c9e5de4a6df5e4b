import type { Consumer, Kafka, KafkaMessage } from 'kafkajs'

/** A consumer of kafkajs that runs. */
export interface Reading {
  readonly consumer: Consumer
  readonly messages: KafkaMessage[]
  readonly values: string[]
  /** Until it was given partitions so many times. */
  joined(times: number): Promise<void>
  until(count: number): Promise<void>
}

export async function consume(kafka: Kafka, groupId: string, topic: string): Promise<Reading> {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000, heartbeatInterval: 100, maxWaitTimeInMs: 100 })
  const messages: KafkaMessage[] = []
  const values: string[] = []
  let joins = 0
  consumer.on(consumer.events.GROUP_JOIN, () => void joins++)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    async eachMessage({ message }) {
      messages.push(message)
      values.push(message.value!.toString())
    },
  })
  return {
    consumer,
    messages,
    values,
    joined: (times) => waitFor(() => joins >= times),
    until: (count) => waitFor(() => values.length >= count),
  }
}

const POLL_MS = 10
const WAIT_MS = 30_000

/** Clients do not tell when they are done. */
export async function waitFor(isDone: () => boolean): Promise<void> {
  const untilMs = performance.now() + WAIT_MS
  while (!isDone()) {
    if (performance.now() > untilMs) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
