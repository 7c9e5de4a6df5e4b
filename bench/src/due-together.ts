import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@millrace/client'
import type { DueResult, DueTogether } from './system.ts'

const VALUE_BYTES = 100
const TIMEOUT_MS = 60_000

/** The consumer is of this process: clocks of publisher, broker and consumer are the same one. */
export async function dueTogether(url: string, { messages, withinMs, aheadMs }: DueTogether): Promise<DueResult> {
  const client = await connect(url)
  try {
    const name = `due-${process.pid}`
    const firstMs = Date.now() + aheadMs
    const body = new Uint8Array(VALUE_BYTES)
    const done = { messages: 0, lastMs: 0, earliestMs: Infinity }
    const consumption = client.queue(name).consume(
      (message) => {
        done.messages++
        done.lastMs = Date.now()
        // Of a message that was published for later, the timestamp is when it was due.
        done.earliestMs = Math.min(done.earliestMs, done.lastMs - message.timestampMs)
      },
      { prefetch: messages },
    )
    const publisher = client.publisher(`queue:${name}`, { window: messages })
    for (let n = 0; n < messages; n++) {
      if (!publisher.send(body, { deliverAt: firstMs + Math.floor((n * withinMs) / messages) })) await publisher.ready()
    }
    await publisher.close()
    if (Date.now() >= firstMs) throw new Error(`publishing took more than the ${aheadMs} ms that there were`)
    const untilMs = firstMs + withinMs + TIMEOUT_MS
    while (done.messages < messages && Date.now() < untilMs) await sleep(5)
    await consumption.stop()
    if (done.messages !== messages) throw new Error(`${done.messages} of ${messages} messages came`)
    return { lastLateMs: done.lastMs - (firstMs + withinMs - 1), earliestMs: done.earliestMs }
  } finally {
    await client.close()
  }
}
