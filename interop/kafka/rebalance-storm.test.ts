import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { runSeed, SeededRandom } from '../../packages/broker/test/harness/seeded-random.ts'
import { GroupWatch } from './group-watch.ts'
import { KafkaServer } from './kafka-server.ts'
import { waitFor } from './kafkajs-consumer.ts'
import { kafkajsMember, platformaticMember, type StormMember } from './storm-members.ts'
import { WireTap } from './wire-tap.ts'

const MEMBERS = 50
const AT_ONCE_MAX = 20
const PARTITIONS = 24
const SESSION_MS = 1000
const TOPIC = 'storm'
const GROUP = 'storm'

const kinds = { kafkajs: kafkajsMember, '@platformatic/kafka by KIP-848': platformaticMember }

test.each(Object.entries(kinds))('%s: members come, leave and vanish', async (_, makeMember) => {
  const random = new SeededRandom(runSeed('rebalance storm'))
  const tap = await WireTap.open()
  const watch = new GroupWatch(tap)
  const server = await KafkaServer.start({
    kafkaAdvertised: tap.address,
    groupsSessionTimeoutMsMin: SESSION_MS,
    groupsConsumerSessionTimeoutMs: SESSION_MS,
    groupsConsumerHeartbeatIntervalMs: 100,
  })
  tap.target = server.brokers[0]!
  const kafka = new Kafka({ clientId: 'watcher', brokers: [tap.address], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] })
  const load = new Load(kafka)
  const seen = new Set<string>()
  const settings = {
    brokers: [tap.address],
    group: GROUP,
    topic: TOPIC,
    sessionTimeoutMs: SESSION_MS,
    processed: (value: string) => void seen.add(value),
  }
  const crowd = new Crowd(random, (name) => makeMember(name, settings), tap)

  load.start()
  while (crowd.born < MEMBERS) {
    await crowd.move()
    const wanted = seen.size + random.between(1, 100)
    await waitFor(() => seen.size >= wanted)
  }
  await load.stop()
  await waitFor(() => seen.size === load.sent)
  const ends = async (): Promise<string[]> => (await admin.fetchTopicOffsets(TOPIC)).toSorted(byPartition).map(({ high }) => high)
  const committed = async (): Promise<string[]> => {
    const [topic] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
    return topic!.partitions.toSorted(byPartition).map(({ offset }) => offset)
  }
  const wanted = await ends()
  await waitFor(() => wanted.every((end, partition) => watch.committed.get(partition) === Number(end)))
  expect(await committed()).toEqual(wanted)
  expect(watch.violations).toEqual([])
  expect(watch.rounds.size).toBeGreaterThan(4)

  await crowd.end()
  await admin.disconnect()
  await server.stop()
  await tap.close()
})

/** Members that come and go by a plan. */
class Crowd {
  born = 0
  readonly #random: SeededRandom
  readonly #make: (name: string) => StormMember
  readonly #tap: WireTap
  #present: StormMember[] = []
  readonly #endings: Promise<void>[] = []

  constructor(random: SeededRandom, make: (name: string) => StormMember, tap: WireTap) {
    this.#random = random
    this.#make = make
    this.#tap = tap
  }

  /** Some come, leave and vanish, all at the same time. */
  async move(): Promise<void> {
    const came: StormMember[] = []
    const moves: Promise<void>[] = []
    for (let left = this.#random.between(2, 12); left > 0; left--) {
      const mayCome = this.born < MEMBERS && this.#present.length + came.length < AT_ONCE_MAX
      if (this.#present.length < 3 || (mayCome && this.#random.next() < 0.6)) {
        const member = this.#make(`member-${this.born++}`)
        came.push(member)
        moves.push(member.start())
        continue
      }
      const [member] = this.#present.splice(this.#random.between(0, this.#present.length - 1), 1)
      if (this.#random.next() < 0.6) moves.push(member!.leave())
      else {
        this.#tap.cut(member!.name)
        this.#endings.push(member!.abandon())
      }
    }
    await Promise.all(moves)
    this.#present.push(...came)
  }

  async end(): Promise<void> {
    await Promise.all(this.#present.map((member) => member.leave()))
    await Promise.all(this.#endings)
  }
}

function byPartition(a: { partition: number }, b: { partition: number }): number {
  return a.partition - b.partition
}

/** Publishes numbers, into all partitions, until it is told to stop. */
class Load {
  sent = 0
  readonly #kafka: Kafka
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(kafka: Kafka) {
    this.#kafka = kafka
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    const producer = this.#kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    while (!this.#isStopped) {
      const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, value: String(this.sent + partition) }))
      await producer.send({ topic: TOPIC, messages })
      this.sent += PARTITIONS
      await sleep(20)
    }
    await producer.disconnect()
  }
}
