// Services write log lines to a topic. The search service keeps an index of the warnings and errors: its subscription's filter leaves the
// rest out, and it takes the lines in batches. Later it wants the other lines as well, and reads the topic again from the start.
import type { Millrace, StoredMessage } from '@millrace/client'
import { run } from './running/run.ts'

const LINES = 'example.log-lines'
const SERVICES = ['web', 'billing', 'stock']
const LINES_PER_SERVICE = 2000

/** What the services have to say, by level. */
const SAYINGS = [
  ['debug', 'cache miss'],
  ['info', 'request served'],
  ['debug', 'cache hit'],
  ['warn', 'request was slow'],
  ['info', 'customer logged in'],
  ['error', 'request failed: database timeout'],
  ['info', 'request served'],
  ['warn', 'disk almost full'],
] as const

export interface LogPipelineOutcome {
  readonly written: number
  readonly batches: number
  /** Lines in the index of warnings and errors, and in the one of everything. */
  readonly problems: number
  readonly everything: number
  readonly topProblemWords: readonly (readonly [word: string, lines: number])[]
  readonly topWords: readonly (readonly [word: string, lines: number])[]
}

export async function logPipeline(client: Millrace): Promise<LogPipelineOutcome> {
  await client.admin.createTopic({ name: LINES, partitions: 3 })
  await client.admin.createSubscription({
    topic: LINES,
    name: 'search',
    from: 'earliest',
    delivery: { filter: "level IN ('warn', 'error')" },
  })

  const problemsWritten = await Promise.all(SERVICES.map((service) => writeLog(client, service)))
  const written = SERVICES.length * LINES_PER_SERVICE
  console.log(`${SERVICES.length} services wrote ${written} lines.`)

  // As a search engine is fed: many lines with one request, acknowledged when it has them.
  const search = new SearchIndex()
  const subscription = client.topic(LINES).subscription('search')
  const expected = problemsWritten.reduce((sum, count) => sum + count, 0)
  let batches = 0
  while (search.lines < expected) {
    const batch = await subscription.pull({ max: 500, waitMs: 1000 })
    if (batch.length === 0) continue
    search.add(batch)
    await Promise.all(batch.map((message) => message.ack()))
    batches++
  }
  console.log(`${search.lines} warnings and errors in ${batches} batches; most frequent: ${inWords(search.topWords(3))}`)

  // A topic keeps its lines: a new index of everything needs nothing but reading it again.
  const archive = new SearchIndex()
  for await (const line of client.topic(LINES).read({ from: 'earliest', untilEnd: true })) archive.add([line])
  console.log(`${archive.lines} lines read again; most frequent: ${inWords(archive.topWords(3))}`)
  return {
    written,
    batches,
    problems: search.lines,
    everything: archive.lines,
    topProblemWords: search.topWords(3),
    topWords: archive.topWords(3),
  }
}

/** @returns how many of the lines were warnings and errors */
async function writeLog(client: Millrace, service: string): Promise<number> {
  const publisher = client.publisher(`topic:${LINES}`)
  let problems = 0
  for (let n = 0; n < LINES_PER_SERVICE; n++) {
    const [level, text] = SAYINGS[n % SAYINGS.length]!
    if (level === 'warn' || level === 'error') problems++
    // The key keeps the lines of one service in order.
    if (!publisher.send(text, { key: service, headers: { level, service } })) await publisher.ready()
  }
  await publisher.close()
  return problems
}

/** In which lines a word is. A line that comes twice is in it once. */
class SearchIndex {
  readonly #linesByWord = new Map<string, Set<string>>()
  readonly #lines = new Set<string>()

  get lines(): number {
    return this.#lines.size
  }

  add(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      const line = `${message.partition}/${message.offset}`
      this.#lines.add(line)
      for (const word of message.text().match(/\w+/g) ?? []) {
        const lines = this.#linesByWord.get(word) ?? new Set()
        this.#linesByWord.set(word, lines.add(line))
      }
    }
  }

  topWords(count: number): readonly (readonly [word: string, lines: number])[] {
    return [...this.#linesByWord]
      .map(([word, lines]) => [word, lines.size] as const)
      .toSorted(([word, lines], [otherWord, otherLines]) => otherLines - lines || word.localeCompare(otherWord))
      .slice(0, count)
  }
}

function inWords(top: readonly (readonly [word: string, lines: number])[]): string {
  return top.map(([word, lines]) => `${word} (${lines})`).join(', ')
}

await run(import.meta.url, logPipeline)
