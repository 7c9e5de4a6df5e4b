// Events per second through map and count, over a broker in the same process. Build first (npm run build), then:
//   node packages/streams/test/throughput.mjs [--events N] [--data DIRECTORY]
// The topic is filled before the clock starts; every event is read, mapped, counted by its key, and committed.
/* oxlint-disable no-console */
import { parseArgs } from 'node:util'
import { topic } from '@millrace/client'
import { streams, tumbling } from '@millrace/streams'
import { startEmbedded } from 'millrace/embedded'

const { values } = parseArgs({ options: { events: { type: 'string', default: '500000' }, data: { type: 'string' } } })
const EVENTS = Number(values.events)
const KEYS = 1000

// A schema that takes everything: what is measured is the pipeline, not a validator.
const schema = { '~standard': { version: 1, vendor: 'none', validate: (value) => ({ value }) } }
const clicks = topic('clicks', { schema, partitions: 4 })

const pipelines = {
  'map + count': (app) =>
    app
      .from(clicks)
      .map(({ page }) => page)
      .byKey()
      .count('pages'),
  'map + count in 1-minute windows': (app) =>
    app
      .from(clicks)
      .map(({ page }) => page)
      .byKey()
      .window(tumbling('1m'))
      .count('pages-per-minute'),
  'key + map + count': (app) =>
    app
      .from(clicks)
      .key('page', ({ page }) => page)
      .map(({ page }) => page)
      .count('pages'),
}

const broker = await startEmbedded(values.data === undefined ? {} : { data: values.data })
const { client } = broker
await clicks.declare(client)
const publisher = client.publisher('topic:clicks', { window: 50_000 })
const startMs = Date.now()
for (let n = 0; n < EVENTS; n++) {
  const page = `page-${n % KEYS}`
  if (!publisher.send({ page, user: `user-${n % 977}` }, { key: page, timestampMs: startMs + n / 10 })) await publisher.ready()
}
await publisher.close()

for (const [label, define] of Object.entries(pipelines)) {
  const app = streams(client, `bench-${Object.keys(pipelines).indexOf(label)}-${startMs}`)
  define(app)
  const started = performance.now()
  await app.start()
  await app.caughtUp()
  const seconds = (performance.now() - started) / 1000
  const { processed, commits, operators } = app.info()
  const state = operators.reduce((sum, { entries }) => sum + entries, 0)
  await app.stop()
  const perSecond = Math.round(EVENTS / seconds).toLocaleString('en')
  console.log(
    `${label.padEnd(34)} ${perSecond.padStart(10)} events/s   ${processed} records read, ${commits} commits, ${state} entries of state`,
  )
}
await broker.close()
