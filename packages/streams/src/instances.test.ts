import { type Millrace, queue, topic } from '@millrace/client'
import { type OpenStateStore, streams, type Streams, type Table, tumbling } from '@millrace/streams'
import { testBroker, type TestBroker } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anything } from '../test/anything.ts'

const words = topic('words', { schema: anything<string>(), key: (word) => word, partitions: 4 })
const counts = queue('counts', { schema: anything<readonly [string, number]>() })

let broker: TestBroker

beforeEach(async () => {
  broker = await testBroker()
})

afterEach(async () => {
  await broker.close()
})

interface Instance {
  readonly app: Streams
  readonly table: Table<number>
}

async function startCounting(client: Millrace, store?: OpenStateStore): Promise<Instance> {
  const app = streams(client, 'counting', store === undefined ? {} : { store })
  const table = app.from(words).byKey().count('per-word')
  table
    .changes()
    .map(({ key, value }) => [key, value!] as const)
    .to(counts)
  await app.start()
  return { app, table }
}

async function publish(...list: readonly string[]): Promise<void> {
  for (const word of list) await broker.client.use(words).publish(word)
  await broker.clock.settle()
}

function running({ app }: Instance): readonly number[] {
  return app.info().lanes.filter(({ state }) => state === 'running').map(({ lane }) => lane) // prettier-ignore
}

/** Each word counted up without a gap or a repetition. */
function expectOnce(expected: Readonly<Record<string, number>>): void {
  const seen: Record<string, number> = {}
  for (const [word, count] of broker.published(counts).json() as readonly (readonly [string, number])[]) {
    expect(count).toBe((seen[word] ?? 0) + 1)
    seen[word] = count
  }
  expect(seen).toEqual(expected)
}

const alphabet = 'abcdefghij'.split('')

describe('state', () => {
  it('is restored after a stop', async () => {
    const first = await startCounting(broker.client)
    await publish('a', 'b', 'a')
    await first.app.stop()
    expect(first.app.info().state).toBe('stopped')
    await publish('a')
    const second = await startCounting(broker.client)
    await second.app.caughtUp()
    expect(second.table.get('a')).toBe(3)
    expect(second.table.get('b')).toBe(1)
    await second.app.stop()
    expectOnce({ a: 3, b: 1 })
  })

  it('can be kept in a store of the user', async () => {
    const opened: string[] = []
    const closed: string[] = []
    const open: OpenStateStore = ({ application, store, partition }) => {
      const values = new Map<string, unknown>()
      const name = `${application}/${store}/${partition}`
      opened.push(name)
      return {
        get: (key) => values.get(key),
        set: (key, value) => void values.set(key, value),
        delete: (key) => void values.delete(key),
        entries: () => values.entries(),
        get size() {
          return values.size
        },
        close: () => void closed.push(name),
      }
    }
    const { app, table } = await startCounting(broker.client, open)
    await publish('a', 'a')
    expect(table.get('a')).toBe(2)
    expect(opened.toSorted()).toEqual([0, 1, 2, 3].map((partition) => `counting/per-word/${partition}`))
    await app.stop()
    expect(closed.toSorted()).toEqual(opened.toSorted())
  })

  it('begins anew after a reset', async () => {
    const first = await startCounting(broker.client)
    await publish('a', 'a')
    await expect(first.app.reset()).rejects.toMatchObject({ code: 'in_use' })
    const other = streams(broker.client, 'counting')
    await expect(other.reset()).rejects.toThrow('stop all instances of counting before the reset')
    await first.app.stop()
    await other.reset()
    expect((await broker.client.admin.topics()).map(({ name }) => name)).toEqual(['words'])
    const second = await startCounting(broker.client)
    await second.app.caughtUp()
    expect(second.table.get('a')).toBe(2)
    await second.app.stop()
  })

  it('is not used with other partitions than it was made for', async () => {
    const first = await startCounting(broker.client)
    await publish('a')
    await first.app.stop()
    await broker.client.admin.updateTopic('words', { partitions: 6 })
    await expect(startCounting(broker.client)).rejects.toThrow(
      'per-word has its state in 4 partitions, and its records come from 6 now',
    )
  })
})

describe('a topic that gets more partitions', () => {
  it('ends the application, which reads all of them after the next start', async () => {
    const { client, clock } = broker
    const start = async (): Promise<Streams> => {
      const app = streams(client, 'copying')
      app.from(words).map((word) => [word, 0] as const).to(counts) // prettier-ignore
      await app.start()
      return app
    }
    const first = await start()
    await client.admin.updateTopic('words', { partitions: 5 })
    for (let second = 0; second < 20; second++) await clock.advance('1s')
    await expect(first.done).rejects.toThrow('topic words has 5 partitions by now, and had 4 at the start: start again')
    const second = await start()
    await publish(...alphabet)
    expect(broker.published(counts).count).toBe(alphabet.length)
    await second.stop()
  })
})

describe('instances', () => {
  it('share the lanes, and a new one gets its part with the state', async () => {
    const { clock } = broker
    const first = await startCounting(await broker.connect())
    await publish(...alphabet)
    expect(running(first)).toEqual([0, 1, 2, 3])
    const second = await startCounting(await broker.connect())
    await clock.advance('10s')
    expect(running(first)).toHaveLength(2)
    expect([...running(first), ...running(second)].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3])
    await publish(...alphabet)
    expectOnce(Object.fromEntries(alphabet.map((word) => [word, 2])))
    const here = [...first.table.entries(), ...second.table.entries()]
    expect(Object.fromEntries(here)).toEqual(Object.fromEntries(alphabet.map((word) => [word, 2])))
    const elsewhere = alphabet.find((word) => ![...first.table.entries()].some(([key]) => key === word))!
    expect(() => first.table.get(elsewhere)).toThrow(/is in partition \d, which is not here \(waiting\)/)
    await second.app.stop()
    await clock.settle()
    expect(running(first)).toEqual([0, 1, 2, 3])
    expect(first.table.get(elsewhere)).toBe(2)
    await first.app.stop()
  })

  it('three share eight lanes as evenly as can be', async () => {
    const many = topic('many', { schema: anything<string>(), partitions: 8 })
    const apps: Streams[] = []
    for (let n = 0; n < 3; n++) {
      const app = streams(await broker.connect(), 'many')
      app.from(many).byKey().count('count')
      await app.start()
      apps.push(app)
    }
    for (let second = 0; second < 20; second++) await broker.clock.advance('1s')
    const shares = apps.map((app) => app.info().lanes.filter(({ state }) => state === 'running').length)
    expect(shares.toSorted((a, b) => a - b)).toEqual([2, 3, 3])
    await Promise.all(apps.map((app) => app.stop()))
  })

  it('take over at once from one that dies, and count nothing twice', async () => {
    const dying = await broker.connect()
    const first = await startCounting(dying)
    await publish(...alphabet)
    const second = await startCounting(await broker.connect())
    for (const word of alphabet) await broker.client.use(words).publish(word)
    // Its connection goes with whatever was under way.
    await dying.close()
    await publish(...alphabet)
    expect(running(second)).toEqual([0, 1, 2, 3])
    await second.app.caughtUp()
    expectOnce(Object.fromEntries(alphabet.map((word) => [word, 3])))
    await expect(first.app.done).rejects.toMatchObject({ code: 'closed' })
    await second.app.stop()
  })

  it('know at once that a lost connection took their lanes along', async () => {
    const { clock } = broker
    const instance = await startCounting(await broker.connect())
    await publish('a')
    expect(running(instance)).toEqual([0, 1, 2, 3])
    broker.disconnect('1m')
    await clock.settle()
    expect(running(instance)).toEqual([])
    expect(() => instance.table.get('a')).toThrow('which is not here (waiting)')
    await clock.advance('2m')
    expect(running(instance)).toEqual([0, 1, 2, 3])
    expect(instance.table.get('a')).toBe(1)
    await instance.app.stop()
  })

  it.each([1, 2])('%d: go on after lost connections, with commits whose fate was unknown', async (count) => {
    const { clock } = broker
    const instances: Instance[] = []
    for (let n = 0; n < count; n++) instances.push(await startCounting(await broker.connect()))
    const expected: Record<string, number> = {}
    for (let round = 0; round < 24; round++) {
      const list = alphabet.slice(0, 1 + (round % 5))
      for (const word of list) expected[word] = (expected[word] ?? 0) + 1
      const publishing = list.map((word) => broker.client.use(words).publish(word))
      // Some rounds cut before, some after what was sent arrived.
      for (let turn = 0; turn < round; turn++) await Promise.resolve()
      if (round % 2 === 0) broker.disconnect(round % 4 === 0 ? 0 : '1s')
      await clock.advance('10s')
      await Promise.all(publishing)
    }
    for (const { app } of instances) await app.caughtUp()
    // A publish whose confirm was lost came twice: what counts is that each stored word was counted once.
    const stored: Record<string, number> = {}
    for await (const message of broker.client.use(words).read({ from: 'earliest', untilEnd: true })) {
      stored[message.body] = (stored[message.body] ?? 0) + 1
    }
    expectOnce(stored)
    for (const word of alphabet.slice(0, 5)) expect(stored[word]).toBeGreaterThanOrEqual(expected[word]!)
    for (const { app } of instances) await app.stop()
  })
})

describe('the message that stands for a lane', () => {
  it('is put there once, also by instances that start side by side, or again after months', async () => {
    const { clock } = broker
    const clients = [await broker.connect(), await broker.connect(), await broker.connect()]
    const instances = await Promise.all(clients.map((client) => startCounting(client)))
    await publish(...alphabet)
    await Promise.all(instances.map(({ app }) => app.stop()))
    await clock.advance('90d')
    const again = await startCounting(broker.client)
    await publish(...alphabet)
    await again.app.stop()
    for (const lane of [0, 1, 2, 3]) expect(await broker.client.admin.queue(`counting.lane.${lane}`)).toMatchObject({ ready: 1 })
    expectOnce(Object.fromEntries(alphabet.map((word) => [word, 2])))
  })

  it('is missed when somebody purged it', async () => {
    const first = await startCounting(broker.client)
    await first.app.stop()
    await broker.client.admin.purgeQueue('counting.lane.2')
    const second = startCounting(broker.client)
    second.catch(() => {})
    await broker.clock.advance('2s')
    await expect(second).rejects.toThrow(
      'counting: queue counting.lane.2 has lost the message that says how far the application is. Start anew with reset().',
    )
  })
})

describe('a stop', () => {
  it('finishes and commits the batch under way, also while records go on to come', async () => {
    const { client } = broker
    const { app } = await startCounting(client)
    const publishing = Promise.all(Array.from({ length: 500 }, (_, n) => client.use(words).publish(alphabet[n % 10]!)))
    await broker.published(counts).waitFor(1)
    await app.stop()
    await publishing
    await app.done
    const { processed } = app.info()
    expect(broker.published(counts).count).toBe(processed)
    const again = await startCounting(client)
    await again.app.caughtUp()
    expectOnce(Object.fromEntries(alphabet.map((word) => [word, 50])))
    await again.app.stop()
  })

  it('before the start, and twice, does no harm', async () => {
    const app = streams(broker.client, 'idle')
    app.from(words).byKey().window(tumbling('1s')).count('n')
    await app.stop()
    await app.stop()
    await app.done
    expect(app.info()).toMatchObject({ state: 'stopped', lanes: [] })
    await expect(app.start()).rejects.toThrow('idle is stopped')
  })
})
