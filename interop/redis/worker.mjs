// A consumer of kill-loop.test.ts as a process of its own, to be killed: node worker.mjs URL REDIS_PORT LIBRARY LEASE_MS. Uses what is built.
// A line about each thing that it did is in the pipe before it goes on: nobody can kill it in between and see nothing.
//
// What a body has it do at the first attempt: `hang` past the lease and then go on, `fail` after the effect, `stall` until the lease is
// over, which gives time to stop the process; later ones of those take half a lease.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, idempotent } from '@millrace/client'
import { RedisIdempotencyStore } from '@millrace/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'

const [url, port, library, lease] = process.argv.slice(2)
const leaseMs = Number(lease)
const WORK_MS_MAX = 20

const tell = (what, key = '', fence = 0, times = {}) => writeSync(1, `${JSON.stringify({ what, key, fence, ...times })}\n`)

/** Both wait for a server that is away. */
async function redis() {
  if (library === 'ioredis') {
    const client = new Redis(Number(port), '127.0.0.1', { retryStrategy: () => 5, maxRetriesPerRequest: null })
    return client.on('error', () => {})
  }
  const client = createClient({ socket: { host: '127.0.0.1', port: Number(port), reconnectStrategy: 5 } })
  client.on('error', () => {})
  return client.connect()
}

async function ended(what, call, key, fence) {
  try {
    await call
  } catch (error) {
    tell(error.code === 'stale_claim' ? 'stale' : 'unsure', key, fence)
    throw error
  }
  tell(what, key, fence)
}

/** Tells how each claim begins and ends, as far as it hears of it. */
function told(store) {
  return {
    begin: async (key, options) => {
      const askedMs = Date.now()
      const begun = await store.begin(key, options)
      if (begun.state === 'started') tell('begun', key, begun.fence, { askedMs, heardMs: Date.now() })
      return begun
    },
    complete: (key, fence, result) => ended('completed', store.complete(key, fence, result), key, fence),
    release: (key, fence) => {
      tell('releasing', key, fence)
      return ended('released', store.release(key, fence), key, fence)
    },
    get: (key) => store.get(key),
    purge: (max) => store.purge(max),
  }
}

const aborted = (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))

async function work(message, { key, fence, signal }) {
  const kind = message.text()
  const isFirst = message.attempt === 1
  if (kind === 'stall') await (isFirst ? aborted(signal) : sleep(leaseMs / 2))
  else await sleep(isFirst && kind === 'hang' ? 2 * leaseMs : WORK_MS_MAX * Math.random())
  tell('effect', key, fence)
  if (isFirst && kind === 'fail') throw new Error('it fails the first time')
  return new TextEncoder().encode(String(fence))
}

const store = told(new RedisIdempotencyStore(await redis()))
const client = await connect(url, { reconnectDelayMs: { min: 5, max: 50 } })
const handler = idempotent(store, work, { consumer: 'work', leaseMs, waitMs: 20, onDuplicate: () => tell('duplicate') })
client.queue('work').consume(handler, { concurrency: 4, prefetch: 8, retryDelayMs: 20 })
tell('ready')
