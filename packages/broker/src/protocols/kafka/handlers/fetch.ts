// hot path (packages/broker/test/kafka/throughput.mjs)
import { fetchCodec } from '../codec/hot/fetch-codec.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors, failure } from '../errors.ts'
import { FetchRound, type PartitionResult } from '../fetch/fetch-round.ts'
import { type FetchPlan, planFetch } from '../fetch/fetch-session.ts'
import { waitForMore } from '../fetch/fetch-wait.ts'
import { limits } from '../limits.ts'
import { fetch } from '../messages/records.ts'
import { throttled } from '../throttling.ts'
import { type Client, Lent, serveHot, type ServedApi } from '../served-api.ts'

type FetchResponse = Encodable<typeof fetch.response>
type TopicAnswer = Encodable<(typeof fetch.response.responses)[1]>
type PartitionAnswer = TopicAnswer['partitions'][number]

const READ_COMMITTED = 1

export const fetchApi: ServedApi = serveHot(fetch, fetchCodec, (request, _, client) => {
  let plan: FetchPlan
  try {
    plan = planFetch(request, client.fetchSession, () => newSessionId(client))
  } catch (error) {
    return { errorCode: failure(error).errorCode, responses: [] }
  }
  client.fetchSession = plan.session
  const { partitions } = plan
  const committedOnly = request.isolationLevel === READ_COMMITTED
  const bytesMax = Math.min(request.maxBytes, burstBytes(client))
  const terms = {
    bytesMin: Math.min(request.minBytes, bytesMax),
    bytesMax,
    waitMs: Math.min(request.maxWaitMs, limits.fetchWaitMsMax),
  }
  const round = new FetchRound(client, partitions, terms)
  const conclude = (): Lent<FetchResponse> | Promise<Lent<FetchResponse>> => {
    const isEnough = round.failed || round.bytes >= terms.bytesMin || terms.waitMs <= 0 || partitions.length === 0
    if (isEnough) return answer(client, plan, round, committedOnly)
    round.lease.release()
    return new Promise((resolve) => {
      waitForMore(client, partitions, terms, (last) => resolve(answer(client, plan, last, committedOnly)))
    })
  }
  const reading = round.run()
  return reading === undefined ? conclude() : reading.then(conclude)
})

function burstBytes({ broker, principal }: Client): number {
  return broker.quotas.burstBytes(principal.user, principal.clientId ?? '', 'consume')
}

function answer(
  client: Client,
  { session, isIncremental }: FetchPlan,
  { results, bytes, lease }: FetchRound,
  committedOnly: boolean,
): Lent<FetchResponse> {
  const responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = []
  let topic: (typeof responses)[number] | undefined
  for (const result of results) {
    const { wanted } = result
    if (session !== undefined && !isNews(result) && isIncremental) continue
    if (topic === undefined || topic.topic !== wanted.topic || topic.topicId !== wanted.topicId) {
      topic = { topic: wanted.topic, topicId: wanted.topicId, partitions: [] }
      responses.push(topic)
    }
    topic.partitions.push(partitionAnswer(result, committedOnly))
    if (session !== undefined && result.records.length > 0) session.served(wanted)
  }
  const throttleTimeMs = throttled(client, 'consume', bytes)
  return new Lent(lease, { throttleTimeMs, errorCode: errors.NONE, sessionId: session?.id ?? 0, responses })
}

function partitionAnswer(
  { wanted, errorCode, highWatermark, logStartOffset, records }: PartitionResult,
  committedOnly: boolean,
): PartitionAnswer {
  return {
    partitionIndex: wanted.index,
    errorCode,
    highWatermark,
    // What is not committed is not in the partition.
    lastStableOffset: highWatermark,
    logStartOffset,
    abortedTransactions: committedOnly ? [] : null,
    records,
  }
}

/** Whether there is something about it that the client does not know. */
function isNews({ wanted, errorCode, highWatermark, logStartOffset, records }: PartitionResult): boolean {
  const { told } = wanted
  const isSame = told.highWatermark === highWatermark && told.logStartOffset === logStartOffset
  if (errorCode === errors.NONE) Object.assign(told, { highWatermark, logStartOffset })
  return !isSame || errorCode !== errors.NONE || records.length > 0
}

function newSessionId({ context }: Client): number {
  return context.platform.random.uint32() >>> 1 || 1
}
