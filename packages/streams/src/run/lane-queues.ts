import { topicAddress } from '@millrace/client'
import { StreamError } from '../stream-error.ts'
import type { Topology } from '../topology/topology.ts'
import { existing } from './existing.ts'
import { SEED_WINDOW_MS, TOKEN_CHECK_MS, TOKEN_CHECKS } from './limits.ts'
import { noProgress, progressText } from './progress.ts'
import type { Settings } from './settings.ts'

const decoder = new TextDecoder()

/**
 * Sees to it that each lane has a queue with exactly one message: where the lane's progress begins. That it was put there is noted in a
 * topic, in the same transaction: it must never be put there again. Of instances that start for the first time side by side, dedup lets
 * one do it.
 */
export async function prepareLanes(settings: Settings, topology: Topology, lanes: number): Promise<void> {
  const { client } = settings
  const { admin } = client
  const topic = topology.lanesTopic
  if ((await existing(admin.topic(topic))) === undefined) await admin.createTopic({ name: topic, cleanup: 'compact' })
  const begun = new Set<string>()
  for await (const { key } of client.topic(topic).read({ from: 'earliest', untilEnd: true })) begun.add(decoder.decode(key))
  for (let lane = 0; lane < lanes; lane++) {
    const name = topology.laneQueue(lane)
    await admin.createQueue({
      name,
      delivery: { consumers: 'single' },
      dedup: { windowMs: SEED_WINDOW_MS, entriesMax: 1 },
    })
    if (begun.has(String(lane))) {
      await checkToken(settings, name)
      continue
    }
    await client.transaction((transaction) => {
      transaction.publish(topicAddress(topic), 'begun', { key: String(lane) })
      transaction.publish(`queue:${name}`, progressText(noProgress), { headers: { 'message-id': 'first' } })
    })
  }
}

/** Whoever works on a lane replaces its message all the time: between two commits it may not be counted. @throws StreamError */
async function checkToken({ client, name, platform }: Settings, queue: string): Promise<void> {
  for (let check = 0; check < TOKEN_CHECKS; check++) {
    const { ready, inFlight, consumers } = await client.admin.queue(queue)
    if (ready + inFlight + consumers > 0) return
    await platform.sleep(TOKEN_CHECK_MS)
  }
  throw new StreamError(
    name,
    `queue ${queue} has lost the message that says how far the application is. Start anew with reset().`,
  )
}
