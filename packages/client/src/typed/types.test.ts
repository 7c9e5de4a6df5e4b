/** What does not compile is checked by the compiler: `tsconfig.tests.json`. The bodies of these tests run too, where they do no harm. */
import {
  type Consumption,
  type Message,
  type Millrace,
  queue,
  type Receipt,
  type StoredMessage,
  topic,
  type Typed,
  type TypedPublisher,
  type TypedQueue,
  type TypedTopic,
} from '@millrace/client'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'

const Order = z.object({ id: z.number(), customer: z.string(), at: z.string().transform((text) => new Date(text)) })
type OrderIn = { id: number; customer: string; at: string }
type MailBody = { to: string; cc?: string | undefined }
type OrderOut = { id: number; customer: string; at: Date }

const orders = topic('orders', { schema: Order, key: (order) => order.customer, id: (order) => order.id, partitions: 2 })
const mail = queue('mail', { schema: v.object({ to: v.string(), cc: v.optional(v.string()) }) })

/** Compiled, never called. */
function compiled(check: (client: Millrace) => unknown): void {
  expectTypeOf(check).toBeFunction()
}

describe('the compiler', () => {
  it('knows the bodies of both sides', () => {
    compiled((client) => {
      const typed = client.use(orders)
      expectTypeOf(typed).toEqualTypeOf<TypedTopic<OrderIn, OrderOut>>()
      expectTypeOf(client.use(mail)).toEqualTypeOf<TypedQueue<MailBody, MailBody>>()
      expectTypeOf<Parameters<typeof typed.publish>[0]>().toEqualTypeOf<OrderIn>()
      expectTypeOf<ReturnType<typeof typed.publish>>().toEqualTypeOf<Promise<Receipt>>()
      expectTypeOf<Parameters<TypedPublisher<OrderIn>['send']>[0]>().toEqualTypeOf<OrderIn>()
      expectTypeOf(typed.read()).toEqualTypeOf<AsyncIterableIterator<Typed<StoredMessage, OrderOut>>>()
      expectTypeOf(typed.subscription('s').pull()).resolves.toEqualTypeOf<readonly Typed<Message, OrderOut>[]>()
      const consumption = typed.subscription('s').consume((message) => {
        expectTypeOf(message.body).toEqualTypeOf<OrderOut>()
        expectTypeOf(message.attempt).toEqualTypeOf<number>()
      })
      expectTypeOf(consumption).toEqualTypeOf<Consumption>()
    })
    expect([orders.destination, mail.destination]).toEqual(['topic:orders', 'queue:mail'])
  })

  it('refuses a wrong body', () => {
    compiled((client) => {
      // @ts-expect-error a string is no order
      void client.use(orders).publish('order')
      // @ts-expect-error `customer` is missing
      void client.use(orders).publish({ id: 1, at: '' })
      // @ts-expect-error `id` is a number
      void client.use(orders).publish({ id: '1', customer: 'c', at: '' })
      // @ts-expect-error `at` is text on this side
      void client.use(orders).publish({ id: 1, customer: 'c', at: new Date() })
      // @ts-expect-error `total` is not declared
      void client.use(orders).publish({ id: 1, customer: 'c', at: '', total: 5 })
      // @ts-expect-error a batch has bodies
      void client.use(orders).publishBatch([{ id: 1, customer: 'c', at: '' }])
      // @ts-expect-error `to` is missing in the second
      void client.use(mail).publishBatch([{ body: { to: 'a' } }, { body: { cc: 'b' } }])
      // @ts-expect-error `to` is text
      client.use(mail).publisher().send({ to: 5 })
    })
    expect.assertions(0)
  })

  it('refuses a handler of another type', () => {
    compiled((client) => {
      const billing = client.use(orders).subscription('billing')
      // @ts-expect-error `at` is a Date on this side
      billing.consume(({ body }: { readonly body: OrderIn }) => body.at)
      // @ts-expect-error orders have no `to`
      billing.consume(({ body }) => body.to)
      // @ts-expect-error a topic is consumed through a subscription
      client.use(orders).consume(() => {})
      // @ts-expect-error a queue is not read
      client.use(mail).read()
      // @ts-expect-error no such decision
      client.use(mail).consume(() => {}, { onInvalid: () => 'ignore' })
    })
    expect.assertions(0)
  })

  it('refuses a wrong declaration', () => {
    compiled(() => {
      // @ts-expect-error orders have no `name`
      topic('t', { schema: Order, key: (order) => order.name })
      // @ts-expect-error an id is text or a number
      topic('t', { schema: Order, id: (order) => order.at })
      // @ts-expect-error no schema
      topic('t', { partitions: 1 })
      // @ts-expect-error queues have no partitions
      queue('q', { schema: Order, partitions: 2 })
      // @ts-expect-error not a schema
      queue('q', { schema: { type: 'object' } })
    })
    expect.assertions(0)
  })
})
