/** What does not compile is checked by the compiler: `tsconfig.tests.json`. */
import { queue, topic } from '@millrace/client'
import {
  type KeyedStream,
  session,
  type Stream,
  type Streams,
  type Table,
  type TableChange,
  tumbling,
  type WindowedTable,
  type WindowResult,
} from '@millrace/streams'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'

const Order = z.object({ id: z.number(), customer: z.string(), at: z.coerce.date() })
interface OrderOut {
  id: number
  customer: string
  at: Date
}
const orders = topic('orders', { schema: Order })
const names = queue('names', { schema: z.string() })
const mails = queue('mails', { schema: z.object({ to: z.string(), subject: z.string().default('none') }) })

/** Compiled, never called. */
function compiled(check: (app: Streams) => unknown): void {
  expectTypeOf(check).toBeFunction()
}

describe('the compiler', () => {
  it('knows values from end to end', () => {
    compiled((app) => {
      const stream = app.from(orders)
      expectTypeOf(stream).toEqualTypeOf<Stream<OrderOut>>()
      expectTypeOf(stream.map(({ customer }) => customer)).toEqualTypeOf<Stream<string>>()
      expectTypeOf(stream.flatMap(({ id }) => [id])).toEqualTypeOf<Stream<number>>()
      expectTypeOf(stream.byKey().filter(({ id }) => id > 1)).toEqualTypeOf<KeyedStream<OrderOut>>()
      expectTypeOf(stream.key('c', ({ customer }) => customer)).toEqualTypeOf<KeyedStream<OrderOut>>()
      expectTypeOf(stream.map(({ id }) => id).merge(stream.map(({ customer }) => customer))).toEqualTypeOf<
        Stream<number | string>
      >()
      const both: Stream<number | string> = stream.map(({ id }): number | string => id)
      expectTypeOf(both.filter((value) => typeof value === 'string')).toEqualTypeOf<Stream<string>>()
      expectTypeOf(stream.branch({ big: ({ id }) => id > 5 }).rest).toEqualTypeOf<Stream<OrderOut>>()
      const table = stream.byKey().count('n')
      expectTypeOf(table).toEqualTypeOf<Table<number>>()
      expectTypeOf(table.changes()).toEqualTypeOf<KeyedStream<TableChange<number>>>()
      const windowed = stream
        .byKey()
        .window(tumbling('1m'))
        .aggregate('ids', { initial: () => [0], add: (ids, { id }) => [...ids, id] })
      expectTypeOf(windowed).toEqualTypeOf<WindowedTable<number[], OrderOut>>()
      expectTypeOf(windowed.final()).toEqualTypeOf<KeyedStream<WindowResult<number[]>>>()
      expectTypeOf(windowed.late()).toEqualTypeOf<KeyedStream<OrderOut>>()
      const joined = stream.byKey().leftJoin(table, ({ at }, count) => {
        expectTypeOf(count).toEqualTypeOf<number | undefined>()
        return at
      })
      expectTypeOf(joined).toEqualTypeOf<KeyedStream<Date>>()
    })
    expect.assertions(0)
  })

  it('takes for a target what its schema accepts', () => {
    compiled((app) => {
      const stream = app.from(orders)
      stream.map(({ customer }) => customer).to(names)
      // The subject has a default.
      stream.map(({ customer }) => ({ to: customer })).to(mails)
      // @ts-expect-error an order is no name
      stream.to(names)
      // @ts-expect-error `to` is missing
      stream.map(({ id }) => ({ id })).to(mails)
      // @ts-expect-error `to` is text
      stream.map(({ id }) => ({ to: id })).to(mails)
    })
    expect.assertions(0)
  })

  it('refuses what does not fit', () => {
    compiled((app) => {
      const stream = app.from(orders)
      // @ts-expect-error what is counted needs a key
      stream.count('n')
      // @ts-expect-error a window too
      stream.window(tumbling('1m'))
      // @ts-expect-error a key is text
      stream.key('id', ({ id }) => id)
      // @ts-expect-error orders have no name
      stream.map(({ name }) => name)
      // @ts-expect-error a stream is no source
      app.from(stream)
      const counting = { initial: () => 0, add: (count: number) => count + 1 }
      // @ts-expect-error sessions merge
      stream.byKey().window(session('1m')).aggregate('n', counting)
      // @ts-expect-error a stream is no table
      stream.byKey().join(stream, () => 1)
    })
    expect.assertions(0)
  })
})
