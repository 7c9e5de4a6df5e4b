// Ten thousand customers want the same thing in the same second, and the database manages a few hundred orders per second. The queue
// holds a thousand orders at most: whoever comes when it is full reads "sold out" at once. It hands them out at a pace that the database
// can bear.
import { setTimeout } from 'node:timers/promises'
import { MillraceError, type Millrace } from '@millrace/client'
import { run } from './running/run.ts'
import { until } from './running/until.ts'

const ORDERS = 'example.flash-sale'
const CUSTOMERS = 10_000

export interface FlashSaleOutcome {
  readonly accepted: number
  readonly soldOut: number
  /** Orders that the database saved, by second since the sale began. */
  readonly savedPerSecond: readonly number[]
}

export async function flashSale(client: Millrace): Promise<FlashSaleOutcome> {
  await client.admin.createQueue({
    name: ORDERS,
    limits: { messages: 1000, overflow: 'reject' },
    delivery: { ratePerSecond: 200 },
  })

  // The slow database, which must not see more than 200 orders per second.
  const savedPerSecond: number[] = []
  let saved = 0
  const beganMs = performance.now()
  const database = client.queue(ORDERS).consume(
    async () => {
      await setTimeout(10)
      const second = Math.floor((performance.now() - beganMs) / 1000)
      while (savedPerSecond.length <= second) savedPerSecond.push(0)
      savedPerSecond[second]!++
      saved++
    },
    // It holds no more orders than it is saving: the others wait in the queue.
    { concurrency: 8, prefetch: 8 },
  )

  // The shop. A batch is taken or refused as a whole: small ones fill the queue to the last place.
  const shop = client.publisher(`queue:${ORDERS}`, { batchBytes: 500 })
  async function buy(customer: number): Promise<boolean> {
    try {
      await shop.publish({ customer })
      return true
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'queue_full') return false // "sold out"
      throw error
    }
  }

  const answers = await Promise.all(Array.from({ length: CUSTOMERS }, (_, customer) => buy(customer)))
  const accepted = answers.filter((bought) => bought).length
  const soldOut = CUSTOMERS - accepted
  const tookMs = Math.round(performance.now() - beganMs)
  console.log(`${CUSTOMERS} customers have their answer after ${tookMs} ms: ${accepted} bought, ${soldOut} read "sold out".`)

  await until(() => saved === accepted)
  await Promise.all([database.stop(), shop.close()])

  for (const [second, count] of savedPerSecond.entries()) {
    console.log(`second ${second + 1}: ${'#'.repeat(count / 5)} ${count} orders saved`)
  }
  return { accepted, soldOut, savedPerSecond }
}

await run(import.meta.url, flashSale)
