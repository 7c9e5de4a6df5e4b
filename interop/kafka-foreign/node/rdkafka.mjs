// What node-rdkafka does: `rdkafka.mjs MODULES ADDRESS CHECK` prints what it saw, as JSON. MODULES is where it is installed.
/* oxlint-disable no-console */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

const [modules, address, name] = process.argv.slice(2)
const rdkafka = createRequire(join(modules, 'index.js'))('node-rdkafka')
const common = { 'metadata.broker.list': address, 'client.id': 'node-rdkafka' }
const TIMEOUT_MS = 30_000

/** Connects, uses and disconnects. */
async function using(client, act) {
  await promisify(client.connect.bind(client))({ timeout: TIMEOUT_MS })
  try {
    return await act(client)
  } finally {
    await promisify(client.disconnect.bind(client))()
  }
}

/** Resolves with the delivery reports of all records. */
function produced(producer, topic, records) {
  return new Promise((resolve, reject) => {
    const reports = []
    producer.setPollInterval(20)
    producer.on('delivery-report', (error, report) => {
      if (error) return reject(error)
      reports.push({ partition: report.partition, offset: report.offset })
      if (reports.length === records.length) resolve(reports)
    })
    for (const { key, value, headers } of records)
      producer.produce(topic, 0, Buffer.from(value), key, Date.now(), undefined, headers)
  })
}

/** Reads as a group until there are so many records. */
async function consumed(topic, group, count, more = {}) {
  const consumer = new rdkafka.KafkaConsumer({ ...common, 'group.id': group, ...more }, { 'auto.offset.reset': 'earliest' })
  return using(consumer, async () => {
    consumer.subscribe([topic])
    const consume = promisify(consumer.consume.bind(consumer))
    const seen = []
    const untilMs = Date.now() + TIMEOUT_MS
    while (seen.length < count) {
      if (Date.now() > untilMs) throw new Error(`only ${seen.length} of ${count} records came`)
      for (const { key, value, headers, offset } of await consume(count - seen.length)) {
        const named = (headers ?? []).map((header) => Object.entries(header).map(([origin, text]) => `${origin}=${text}`)[0])
        seen.push([offset, key?.toString() ?? null, value.toString(), ...named])
      }
    }
    consumer.commitSync(null)
    return seen
  })
}

const checks = {
  /** Idempotent producer with keys and headers, and a group that goes on where it was, by both protocols. */
  async groups() {
    const producer = new rdkafka.Producer({ ...common, dr_cb: true, 'enable.idempotence': true, 'compression.codec': 'lz4' })
    const records = [1, 2, 3, 4].map((n) => ({ key: `k${n}`, value: `v${n}`, headers: [{ origin: 'node' }] }))
    const reports = await using(producer, () => produced(producer, 'from-node', records))
    const classic = [await consumed('from-node', 'node', 2), await consumed('from-node', 'node', 2)]
    const assigned = await consumed('from-node', 'node-next', 4, { 'group.protocol': 'consumer' })
    return { reports, classic, assigned }
  },

  /** One transaction that is committed and one that is aborted. */
  async transactions() {
    const producer = new rdkafka.Producer({ ...common, dr_cb: true, 'transactional.id': 'node-rdkafka' })
    await using(producer, async () => {
      const [init, begin, commit, abort] = ['initTransactions', 'beginTransaction', 'commitTransaction', 'abortTransaction'].map(
        (method) => promisify(producer[method].bind(producer)),
      )
      producer.setPollInterval(20)
      await init(TIMEOUT_MS)
      for (const [value, end] of [
        ['committed', commit],
        ['aborted', abort],
        ['committed too', commit],
      ]) {
        await begin()
        producer.produce('transacted', 0, Buffer.from(value), null, Date.now())
        await end(TIMEOUT_MS)
      }
    })
    return consumed('transacted', 'ledger', 2, { 'isolation.level': 'read_committed' })
  },

  /** Topics are made, grow and go. */
  async admin() {
    const admin = rdkafka.AdminClient.create(common)
    const call = (method, ...parameters) => promisify(admin[method].bind(admin))(...parameters, TIMEOUT_MS)
    await call('createTopic', { topic: 'made-by-node', num_partitions: 2, replication_factor: 1 })
    const again = await call('createTopic', { topic: 'made-by-node', num_partitions: 2, replication_factor: 1 }).catch(
      (error) => error.code,
    )
    await call('createPartitions', 'made-by-node', 3)
    const partitions = () =>
      using(new rdkafka.Producer(common), async (client) => {
        const { topics } = await promisify(client.getMetadata.bind(client))({ timeout: TIMEOUT_MS })
        return topics.find((topic) => topic.name === 'made-by-node')?.partitions.length ?? 0
      })
    const grown = await partitions()
    await call('deleteTopic', 'made-by-node')
    const gone = await partitions()
    admin.disconnect()
    return { again, grown, gone }
  },
}

console.log(JSON.stringify(await checks[name]()))
process.exit(0)
