// The application of crash-loop.test.ts as a process of its own, to be killed: node bank.mjs URL. Uses what is built.
import { connect, queue, topic } from '@millrace/client'
import { streams } from '@millrace/streams'

const schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
const client = await connect(process.argv[2], { reconnectDelayMs: { min: 5, max: 50 } })
const app = streams(client, 'bank', { batchRecords: 20 })
app
  .from(topic('transfers', { schema }))
  .flatMap(({ from, to, amount }) => [
    { account: from, amount: -amount },
    { account: to, amount },
  ])
  .key('account', ({ account }) => account)
  .aggregate('balances', {
    initial: () => ({ bookings: 0, balance: 0 }),
    add: ({ bookings, balance }, { amount }) => ({ bookings: bookings + 1, balance: balance + amount }),
  })
  .changes()
  .map(({ key, value }) => ({ account: key, ...value }))
  .to(queue('balances', { schema }))
await app.start()
process.stdout.write('started\n')
await app.done
