// Page views become counts for each minute, and visits: an application of streams, twice, of which one ends in between.
import { type Millrace, topic } from '@millrace/client'
import { session, streams, type Streams, tumbling } from '@millrace/streams'
import { z } from 'zod'
import { run } from './running/run.ts'
import { until } from './running/until.ts'

const views = topic('example.views', {
  schema: z.object({ page: z.string(), visitor: z.string() }),
  key: (view) => view.visitor,
  partitions: 4,
})
const minutes = topic('example.minutes', {
  schema: z.object({ page: z.string(), minute: z.string(), views: z.number() }),
  key: (count) => count.page,
})
const visits = topic('example.visits', { schema: z.object({ visitor: z.string(), pages: z.array(z.string()) }) })

export interface PageViewsOutcome {
  /** Views by page, over all minutes that are over. */
  readonly views: Readonly<Record<string, number>>
  /** For each page and minute there must be one result. */
  readonly repeated: number
  /** The longest visit. */
  readonly path: readonly string[]
}

/** What each instance does. */
async function start(client: Millrace): Promise<Streams> {
  const app = streams(client, 'example.page-views')
  const all = app.from(views)
  all
    .key('page', (view) => view.page)
    // Two instances work off five minutes within a second: they are not always side by side.
    .window(tumbling('1m', { grace: '10m' }))
    .count('per-minute')
    .final()
    .map(({ key, window, value }) => ({ page: key, minute: new Date(window.startMs).toISOString(), views: value }))
    .to(minutes)
  all
    .byKey()
    .window(session('10m'))
    .aggregate('visits', {
      initial: (): readonly string[] => [],
      add: (pages, view) => [...pages, view.page],
      merge: (first, second) => [...first, ...second],
    })
    .final()
    .map(({ key, value }) => ({ visitor: key, pages: [...value] }))
    .to(visits)
  await app.start()
  return app
}

export async function pageViews(client: Millrace): Promise<PageViewsOutcome> {
  const first = await start(client)
  const second = await start(client)
  const startMs = Date.UTC(2025, 0, 1, 9)
  const publish = client.use(views).publisher()
  for (let n = 0; n < 3000; n++) {
    // Ten views a second; each visitor reads three pages.
    const view = { page: `/article-${Math.floor(n / 3) % 5}`, visitor: `visitor-${n % 100}` }
    if (!publish.send(view, { timestampMs: startMs + n * 100 })) await publish.ready()
    if (n === 1500) await first.stop()
  }
  // An hour later somebody of every partition comes again: what is older is over.
  for (let n = 0; n < 100; n++) {
    const view = { page: `/article-${n % 5}`, visitor: `visitor-${n}` }
    if (!publish.send(view, { timestampMs: startMs + 3_600_000 })) await publish.ready()
  }
  await publish.close()
  await until(() => second.info().lanes.every(({ state }) => state === 'running'))
  await second.caughtUp()
  const outcome = await results(client)
  for (const page of Object.keys(outcome.views).toSorted()) console.log(`${page}: ${outcome.views[page]} views`)
  console.log(`a visit: ${outcome.path.slice(0, 5).join(' ')} ...`)
  await second.stop()
  return outcome
}

async function results(client: Millrace): Promise<PageViewsOutcome> {
  const counts: Record<string, number> = {}
  const seen = new Set<string>()
  let repeated = 0
  for await (const { body } of client.use(minutes).read({ from: 'earliest', untilEnd: true })) {
    counts[body.page] = (counts[body.page] ?? 0) + body.views
    if (seen.has(`${body.page} ${body.minute}`)) repeated++
    seen.add(`${body.page} ${body.minute}`)
  }
  let path: readonly string[] = []
  for await (const { body } of client.use(visits).read({ from: 'earliest', untilEnd: true })) {
    if (body.pages.length > path.length) path = body.pages
  }
  return { views: counts, repeated, path }
}

await run(import.meta.url, pageViews)
