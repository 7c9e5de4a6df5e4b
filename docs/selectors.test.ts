import { readFileSync } from 'node:fs'
import { startEmbedded } from 'millrace/embedded'
import { expect, test } from 'vitest'

const guide = readFileSync(new URL('selectors.md', import.meta.url), 'utf8')
/** What the table shows in its first column, as whole conditions. */
const shown = [...guide.matchAll(/^\| (`.*?`) +\|/gm)]
  .flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, code]) => code!))
  .filter((code) => !/^(AND|OR|NOT|JMS\w+)$/.test(code))
  .map((code) => (code.startsWith('LIKE ') ? `name ${code}` : code))

test('the guide shows selectors that are taken, and its example works', async () => {
  await using broker = await startEmbedded()
  const { admin } = broker.client
  await admin.createTopic({ name: 'orders' })
  expect(shown.length).toBeGreaterThan(10)
  for (const [n, filter] of shown.entries()) {
    await admin.createSubscription({ topic: 'orders', name: `shown-${n}`, delivery: { filter } })
  }

  const [, filter] = /filter: "(.*)"/.exec(guide)!
  await admin.createSubscription({ topic: 'orders', name: 'large', delivery: { filter: filter! } })
  const orders = broker.client.topic('orders')
  await orders.publish('small', { headers: { region: 'de', total: '999' } })
  await orders.publish('far away', { headers: { region: 'us', total: '5000' } })
  await orders.publish('large', { headers: { region: 'fr', total: '1000' } })
  await orders.publish('unknown', { headers: { region: 'it' } })
  const taken = await orders.subscription('large').pull({ max: 10, waitMs: 1000 })
  expect(taken.map((message) => message.text())).toEqual(['large'])
})

test('a mistake is shown with its place', async () => {
  await using broker = await startEmbedded()
  const { admin } = broker.client
  await admin.createTopic({ name: 'orders' })
  const wrong = admin.createSubscription({ topic: 'orders', name: 'wrong', delivery: { filter: 'total >' } })
  await expect(wrong).rejects.toMatchObject({ code: 'bad_selector', message: expect.stringContaining('8') })
})
