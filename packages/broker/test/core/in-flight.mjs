// What a message costs in memory while it is with a consumer, while it waits for its next attempt, and while it is only there. Each way is
// a process of its own, over the disk engine. Build first (npm run build), then:
//   node packages/broker/test/core/in-flight.mjs [MESSAGES]
// Exits with 1 when one in flight takes 200 bytes or more, or one that is only there takes any.
/* oxlint-disable no-console */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeBatch, retryHeader } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openDiskJournal } from '../../dist/engines/disk/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const IN_FLIGHT_BYTES_MAX = 200
/** Not worth waiting for. */
const SMALL_BYTES = 100_000
/** What the measuring itself is wrong by. */
const BACKLOG_BYTES_MAX = 1
/** Where messages cost nothing, more of them show that better. */
const BACKLOG_SHARE = 10
const WARM_MESSAGES = 400_000
const BATCH = 100
const VALUE_BYTES = 100
const CREDIT = 10_000

/**
 * @typedef {object} Way
 * @property {string} text
 * @property {object} [delivery] policy of the queue
 * @property {boolean} [keys] each message has a key of its own
 * @property {boolean} [retries] each message has a retry policy of its own
 * @property {(consumer: object, partition: number, first: number, last: number) => void} [settle] what is done with what was delivered
 * @property {number} [share] of the messages are in flight, or wait, in the end
 */

/** Every other message: no two that are left are neighbours, so each is a range of its own. */
const everyOther = (settle) => (consumer, partition, first, last) => {
  for (let offset = first; offset <= last; offset++) if (offset % 2 === 0) settle(consumer, partition, offset)
}
const ackOne = (consumer, partition, offset) => consumer.settle(partition, offset, offset, { kind: 'ack' })

/** @type {Record<string, Way>} */
const ways = {
  ready: { text: 'ready, nobody consumes', share: 0 },
  held: { text: 'in flight, neighbours' },
  scattered: { text: 'in flight, none beside another', settle: everyOther(ackOne), share: 0.5 },
  keys: { text: 'in flight, order by key, a key each', delivery: { order: 'key' }, keys: true },
  'scattered-keys': {
    text: 'in flight, order by key, none beside another',
    delivery: { order: 'key' },
    keys: true,
    settle: everyOther(ackOne),
    share: 0.5,
  },
  retries: { text: 'in flight, a retry policy each', retries: true },
  'retries-keys': {
    text: 'in flight, a retry policy and a key each',
    delivery: { order: 'key' },
    keys: true,
    retries: true,
  },
  'scattered-retries-keys': {
    text: 'the same, none beside another',
    delivery: { order: 'key' },
    keys: true,
    retries: true,
    settle: everyOther(ackOne),
    share: 0.5,
  },
  waiting: {
    text: 'waits for its next attempt, a time each',
    settle: (consumer, partition, first, last) => {
      for (let offset = first; offset <= last; offset++)
        consumer.settle(partition, offset, offset, { kind: 'nack', delayMs: 3_600_000 + 10 * offset })
    },
  },
}

/** Of four bytes: no two of those have the same hash, so none waits for another. */
const keyOf = (number) => new Uint8Array(new Uint32Array([number]).buffer)
/** All that a policy can say, in numbers as long as they get. */
const retryOf = (number) =>
  retryHeader({
    maxAttempts: 1 + (number % 1_000_000),
    backoff: {
      kind: 'exponential',
      initialMs: 1e10 + number,
      maxMs: 3e10 + number,
      factor: 1 + 1 / (2 + number),
      jitter: 1 / (2 + number),
    },
  })
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Once nothing more is given back: buffers and what is done in the background take a moment. */
async function leastOf(bytesInUse) {
  let least = Infinity
  for (let unchanged = 0; unchanged < 5; unchanged++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc()
    const bytes = bytesInUse()
    if (bytes < least - SMALL_BYTES) unchanged = 0
    least = Math.min(least, bytes)
  }
  return least
}

async function measure({ delivery = {}, keys = false, retries = false, settle = () => {}, share = 1 }, messages) {
  const platform = nodePlatform()
  const directory = mkdtempSync(join(tmpdir(), 'millrace-in-flight-'))
  try {
    const journal = await openDiskJournal({ directory: join(directory, 'data'), durability: 'os' })
    const store = await openLogStore({ journal, platform, crc32c, limits: { tailCacheBytes: 4 * 2 ** 20 } })
    const broker = await openBroker({ store, platform, crc32c })
    const durable = async () => {
      store.touch()
      await broker.whenCommitted(broker.ticket())
    }
    broker.createQueue({ name: 'q', delivery: { leaseMs: 86_000_000, ...delivery } })
    const measured = broker.destination('queue:q', true)
    let number = 0
    const publish = async (queue, count) => {
      for (let n = 0; n < count; n += BATCH) {
        while (broker.congested) await turn()
        const records = Array.from({ length: BATCH }, () => {
          number++
          return {
            timestampMs: Date.now(),
            key: keys ? keyOf(number) : null,
            value: new Uint8Array(VALUE_BYTES),
            headers: retries ? [retryOf(number)] : [],
          }
        })
        queue.publish(0, encodeBatch(records))
        if (n % (10 * BATCH) === 0) await turn()
      }
      await durable()
    }
    const done = { delivered: 0 }
    const consume = async (count, then) => {
      const goal = done.delivered + count
      while (done.delivered < goal) {
        const consumer = broker.consume(
          'queue:q',
          {},
          {
            closed: () => {},
            deliver: ({ partition, first, last }) => {
              done.delivered += last - first + 1
              pending.push([partition, first, last])
            },
          },
        )
        const pending = []
        const until = Math.min(goal, done.delivered + CREDIT)
        consumer.grant(until - done.delivered)
        while (done.delivered < until) await turn()
        for (const [partition, first, last] of pending.splice(0)) then(consumer, partition, first, last)
        await durable()
      }
    }
    // Caches and pools, which have their bounds, are full after that: what comes then tells what messages cost.
    await publish(broker.destination('queue:warm', true), WARM_MESSAGES)
    // Where nothing is in flight the buffers besides the index are pools: some 20 MB, however long the backlog.
    const bytesInUse = () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + (share > 0 ? arrayBuffers : store.stats.indexBytes)
    }
    const before = await leastOf(bytesInUse)
    await publish(measured, share > 0 ? messages : BACKLOG_SHARE * messages)
    if (share > 0) await consume(messages, settle)
    const after = await leastOf(bytesInUse)
    const { ready, inFlight } = broker.queue('q')
    const result = { bytesEach: (after - before) / (messages * (share > 0 ? share : BACKLOG_SHARE)), ready, inFlight }
    await broker.close()
    await store.close()
    await journal.close()
    return result
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const [what, count] = process.argv.slice(2)
if (what !== undefined && what in ways) console.log(JSON.stringify(await measure(ways[what], Number(count))))
else {
  const messages = Number(what ?? 1_000_000)
  for (const [name, { text, share }] of Object.entries(ways)) {
    const line = execFileSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), name, String(messages)], {
      encoding: 'utf8',
    })
    const { bytesEach, ready, inFlight } = JSON.parse(line)
    const isGood = share === 0 ? bytesEach <= BACKLOG_BYTES_MAX : bytesEach < IN_FLIGHT_BYTES_MAX
    if (!isGood) process.exitCode = 1
    const [result, figure] = [isGood ? 'pass' : 'FAIL', bytesEach.toFixed(1).padStart(6)]
    console.log(`${result}  ${text.padEnd(43)} ${figure} bytes each   (${ready} ready, ${inFlight} in flight)`)
  }
}
