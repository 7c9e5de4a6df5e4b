// Orders take products out of stock. Several workers share the queue; orders for one product are handled one after the other, in the
// order in which they came, orders for different products side by side. So what a worker reads of the stock is still true when it
// writes, without locks. Orders that are sent twice are handled once.
import { setTimeout } from 'node:timers/promises'
import { idempotent, MemoryIdempotencyStore, type Millrace } from '@millrace/client'
import { run } from './running/run.ts'
import { until } from './running/until.ts'

const ORDERS = 'example.orders'
const WORKERS = 4

interface Order {
  readonly number: number
  readonly product: string
}

export interface StockOutcome {
  /** Numbers of the orders in the order in which they were handled, by product. */
  readonly handled: Readonly<Record<string, readonly number[]>>
  readonly shipped: number
  readonly refused: number
  readonly duplicates: number
  readonly retries: number
  readonly stock: Readonly<Record<string, number>>
  readonly workersAtOnce: number
}

export async function ordersAndStock(client: Millrace): Promise<StockOutcome> {
  await client.admin.createQueue({
    name: ORDERS,
    delivery: { order: 'key', backoff: { kind: 'fixed', initialMs: 50 } },
  })
  const orders = client.queue(ORDERS)

  const stock: Record<string, number> = { lamp: 30, chair: 20, desk: 10, clock: 5 }
  const products = Object.keys(stock)
  const handled: Record<string, number[]> = Object.fromEntries(products.map((product) => [product, []]))
  let shipped = 0
  let refused = 0
  let duplicates = 0
  let retries = 0
  let working = 0
  let workersAtOnce = 0

  async function takeFromStock({ number, product }: Order): Promise<void> {
    const left = stock[product]!
    // As slow as a database. A second worker with the same product would read the same number now, and sell the same piece.
    await setTimeout(2)
    if (left > 0) {
      stock[product] = left - 1
      shipped++
    } else refused++
    handled[product]!.push(number)
  }

  // In one process the store may be in memory; @millrace/redis and @millrace/postgres have stores for many.
  const handler = idempotent(
    new MemoryIdempotencyStore(),
    async (message) => {
      workersAtOnce = Math.max(workersAtOnce, ++working)
      try {
        const order = message.json() as Order
        if (order.number === 42 && message.attempt === 1) throw new Error('the database closed the connection')
        await takeFromStock(order)
      } finally {
        working--
      }
    },
    { consumer: 'stock', onDuplicate: () => duplicates++ },
  )
  const workers = Array.from({ length: WORKERS }, () =>
    // One order at a time for each worker: the next goes to whoever has nothing to do.
    orders.consume(handler, {
      prefetch: 1,
      onError: (error, message) => {
        retries++
        console.log(`order ${(message.json() as Order).number} comes again: ${(error as Error).message}`)
      },
    }),
  )

  // 100 orders, five in a row for the same product; every tenth customer is nervous and clicks twice.
  const numbers = Array.from({ length: 100 }, (_, number) => number)
  const clicks = numbers.flatMap((number) => {
    const order = { number, product: products[Math.floor(number / 5) % products.length]! }
    return number % 10 === 0 ? [order, order] : [order]
  })
  await orders.publishBatch(
    clicks.map((order) => ({ body: order, key: order.product, headers: { 'message-id': `order-${order.number}` } })),
  )
  console.log(`${clicks.length} orders were sent for ${products.length} products, some of them twice.`)

  await until(() => shipped + refused + duplicates === clicks.length)
  await Promise.all(workers.map((worker) => worker.stop()))

  for (const product of products) {
    const done = handled[product]!
    const order = done.every((number, n) => n === 0 || number > done[n - 1]!) ? 'in order' : 'OUT OF ORDER'
    console.log(`${product}: ${done.length} orders, ${order}; ${stock[product]} pieces are left`)
  }
  console.log(`${shipped} shipped, ${refused} refused, ${duplicates} duplicates left out; ${workersAtOnce} workers at once.`)
  return { handled, shipped, refused, duplicates, retries, stock, workersAtOnce }
}

await run(import.meta.url, ordersAndStock)
