/** Clients that live through crashes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AmqpLedger } from './amqp-ledger.ts'
import { AmqpSocket } from './amqp-socket.ts'

/** One connection after another. */
export class Connections {
  isOver = false
  readonly #address: string

  constructor(address: string) {
    this.#address = address
  }

  /** As long as it is not over; a crash ends each, and nothing else may. */
  async each(serve: (client: AmqpSocket) => Promise<void>): Promise<void> {
    while (!this.isOver) {
      const client = await AmqpSocket.connect(this.#address).catch(() => undefined)
      if (client !== undefined) {
        // What ends it is the crash.
        await serve(client).catch((error: unknown) => {
          if (!client.closed) throw error
        })
        client.destroy()
      }
      await sleep(10)
    }
  }
}

/** The publishes of a channel in confirm mode, in order. */
export class Confirmed {
  readonly #waiting: (() => void)[] = []
  readonly #client: AmqpSocket
  #told = 0

  private constructor(client: AmqpSocket) {
    this.#client = client
    client.onMethod = (method) => {
      if (method.name !== 'basic.ack' && method.name !== 'basic.nack') return
      const { deliveryTag } = method.args
      for (const confirm of this.#waiting.splice(0, deliveryTag - this.#told)) if (method.name === 'basic.ack') confirm()
      this.#told = deliveryTag
    }
  }

  static async of(client: AmqpSocket): Promise<Confirmed> {
    await client.call(1, 'confirm.select', { noWait: false })
    return new Confirmed(client)
  }

  get open(): number {
    return this.#waiting.length
  }

  sent(confirm: () => void): void {
    this.#waiting.push(confirm)
  }

  /** @throws when the connection ended before */
  async all(): Promise<void> {
    while (this.open > 0) {
      if (this.#client.closed) throw new Error('the connection ended')
      await sleep(1)
    }
  }
}

/** What a client that lives through crashes works with. */
export interface Life {
  readonly client: AmqpSocket
  readonly connections: Connections
  readonly ledger: AmqpLedger
}

/** Publishes messages with numbers, and notes those that are confirmed. @param next the number of the next, and its frames */
export async function publishNumbers(
  { client, connections, ledger }: Life,
  unconfirmedMax: number,
  next: () => { readonly number: number; readonly bytes: Uint8Array },
): Promise<void> {
  const confirms = await Confirmed.of(client)
  while (!connections.isOver && !client.closed) {
    const { number, bytes } = next()
    confirms.sent(() => ledger.confirmed.add(number))
    await client.write(bytes)
    while (confirms.open > unconfirmedMax && !client.closed) await sleep(1)
  }
  await confirms.all()
}

/** Consumes messages with numbers, acknowledges what came, and notes what is acknowledged for good. @param settled resolves when it is */
export async function acknowledgeNumbers(
  { client, connections, ledger }: Life,
  queue: string,
  prefetchCount: number,
  settled: () => Promise<unknown>,
): Promise<void> {
  let held: { readonly number: number; readonly tag: number }[] = []
  client.onDelivery = ({ tag, body, redelivered }) => held.push({ number: ledger.delivered(body, redelivered), tag })
  await client.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount, global: false })
  await client.call(1, 'basic.consume', consumption(queue, false))
  while (!connections.isOver && !client.closed) {
    const some = held
    held = []
    const newest = some.at(-1)
    if (newest === undefined) {
      await sleep(1)
      continue
    }
    client.send(1, 'basic.ack', { deliveryTag: newest.tag, multiple: true })
    await settled()
    for (const { number } of some) ledger.acked.add(number)
  }
}

export function declaration(queue: string) {
  return { queue, passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
}

export function consumption(queue: string, noAck: boolean) {
  return { queue, consumerTag: 'c', noLocal: false, noAck, exclusive: false, noWait: false, arguments: {} }
}
