// Commits of offsets and heartbeats of groups through the façade, over the memory engine. Build first (npm run build), then:
//   node packages/broker/test/core/group-throughput.mjs
/* oxlint-disable no-console */
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const PARTITIONS = 100
const platform = nodePlatform()
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function measure(label, count, { groups, perTurn, partitions = 1 }, step) {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  broker.createTopic({ name: 't', partitions: PARTITIONS })
  const state = []
  for (let g = 0; g < groups; g++) state.push(step.prepare?.(broker, `g${g}`))
  await turn()
  const bytesBefore = store.stats.committedBytes
  const started = performance.now()
  for (let n = 0; n < count; n++) {
    step.run(broker, `g${n % groups}`, n, partitions, state[n % groups])
    if (n % perTurn === 0) await turn()
  }
  while (broker.ticket() > broker.committedTicket + 1) await turn()
  const seconds = (performance.now() - started) / 1000
  const bytes = Math.round((store.stats.committedBytes - bytesBefore) / count)
  console.log(
    `${label.padEnd(52)} ${Math.round(count / seconds)
      .toLocaleString('en')
      .padStart(12)}/s ${String(bytes).padStart(8)} bytes each`,
  )
  await broker.close()
  await store.close()
}

const commit = {
  run(broker, group, n, partitions) {
    const offsets = []
    for (let p = 0; p < partitions; p++) offsets.push({ topic: 't', partition: (n + p) % PARTITIONS, offset: n })
    broker.groups.commitOffsets(group, offsets)
  },
}
const heartbeat = {
  prepare(broker, group) {
    const member = { group, memberId: 'm', clientId: 'c', clientHost: '/h' }
    broker.groups.consumerHeartbeat({ ...member, epoch: 0, rebalanceTimeoutMs: 60_000, topics: ['t'], owned: [] })
    return { ...member, epoch: 1 }
  },
  run(broker, _group, _n, _partitions, member) {
    broker.groups.consumerHeartbeat(member)
  },
}

await measure('offset commits, one group', 300_000, { groups: 1, perTurn: 1 }, commit)
await measure('offset commits, 1000 groups, 100 a turn', 300_000, { groups: 1000, perTurn: 100 }, commit)
await measure('offset commits of 50 partitions, 100 groups', 30_000, { groups: 100, perTurn: 10, partitions: 50 }, commit)
await measure('heartbeats of consumer groups, 100 partitions each', 300_000, { groups: 1000, perTurn: 100 }, heartbeat)
