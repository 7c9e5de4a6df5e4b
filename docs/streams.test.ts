import * as clientModule from '@millrace/client'
import * as streamsModule from '@millrace/streams'
import { testBroker } from 'millrace/testing'
import { describe, expect, it } from 'vitest'
import * as zodModule from 'zod'
import { runSnippet, snippetsOf } from './snippets.ts'

const { queue, topic } = clientModule
const { z } = zodModule
const snippets = snippetsOf('streams.md')
const modules = { '@millrace/client': clientModule, '@millrace/streams': streamsModule, zod: zodModule }

const View = z.object({ page: z.string(), user: z.string() })
const Order = z.object({ id: z.number(), customer: z.string(), total: z.number(), items: z.array(z.string()) })
const declarations = {
  views: topic('views', { schema: View, key: (view) => view.user }),
  orders: topic('orders', { schema: Order, key: (order) => order.customer }),
  customers: topic('customers', {
    schema: z.object({ name: z.string(), city: z.string() }),
    key: (customer) => customer.name,
    cleanup: 'compact',
  }),
  shipments: topic('shipments', {
    schema: z.object({ customer: z.string(), carrier: z.string() }),
    key: (shipment) => shipment.customer,
  }),
  desk: queue('desk', { schema: z.string() }),
}

describe('the streams guide', () => {
  for (const [n, { title, code, prints }] of snippets.entries()) {
    it(`${title}: snippet ${n}`, async () => {
      await using broker = await testBroker()
      const { client, clock } = broker
      expect(await runSnippet(code, modules, { client, clock, ...declarations })).toEqual(prints)
    })
  }

  it('shows every operator', () => {
    const guide = snippets.map(({ code }) => code).join('\n')
    for (const call of [
      '.from(',
      '.table(',
      '.map(',
      '.filter(',
      '.flatMap(',
      '.peek(',
      '.branch(',
      '.key(',
      '.byKey(',
      '.to(',
      '.window(',
      '.count(',
      '.aggregate(',
      '.leftJoin(',
      '.joinStream(',
      '.changes(',
      '.final(',
      '.late(',
      '.get(',
      '.caughtUp(',
      '.info(',
      '.reset(',
    ]) {
      expect(guide).toContain(call)
    }
  })
})
