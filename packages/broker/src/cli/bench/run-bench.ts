import type { BrokerStatus, Millrace } from '@millrace/client'
import type { Command } from 'commander'
import { parseAddress, parseDestination } from '../address.ts'
import { usageError } from '../failure.ts'
import { formatBytes, formatCount, formatMilliseconds } from '../output/figures.ts'
import { globalOptions, outputOf, withBroker, withoutSecrets } from '../session.ts'
import { consumeLoad } from './consume-load.ts'
import { Meter } from './meter.ts'
import { addressesOf, publishLoad } from './publish-load.ts'
import type { BenchSettings } from './settings.ts'

/** Runs one benchmark and prints its result. @param temporary whether the destinations are deleted afterwards */
export async function runBench(command: Command, temporary: boolean, settings: BenchSettings): Promise<void> {
  checkSettings(temporary, settings)
  const output = outputOf(command)
  const { url } = globalOptions(command)
  await withBroker(command, async (client) => {
    const status = await client.admin.status()
    for (const line of header(settings, status, withoutSecrets(url))) output.note(line)
    const stop = new AbortController()
    const onSignal = (): void => stop.abort()
    process.once('SIGINT', onSignal)
    await createDestinations(client, settings)
    if (settings.warmupMs > 0) {
      const load = { ...settings, durationMs: settings.warmupMs, count: Infinity }
      await runMode(client, load, new Meter(settings.sizeBytes), stop.signal)
    }
    const meter = new Meter(settings.sizeBytes)
    const progress = setInterval(() => output.note(meter.progress()), 1000)
    try {
      await runMode(client, settings, meter, stop.signal)
      meter.end()
    } finally {
      clearInterval(progress)
      process.removeListener('SIGINT', onSignal)
      if (temporary) await deleteDestinations(client, settings)
    }
    await output.object(resultOf(settings, status, meter), fieldsOf(meter, settings))
  })
}

async function runMode(client: Millrace, settings: BenchSettings, meter: Meter, signal: AbortSignal): Promise<void> {
  if (settings.mode === 'pub') {
    await publishLoad(client, settings, { meter }, signal)
    return
  }
  if (settings.mode === 'sub') {
    const endMs = performance.now() + settings.durationMs
    await consumeLoad(client, settings, meter, () => (performance.now() < endMs ? settings.count : 0), false, signal)
    return
  }
  let sent: number | undefined
  const publish = async (): Promise<void> => {
    sent = await publishLoad(client, settings, { consumed: meter }, signal)
  }
  await Promise.all([publish(), consumeLoad(client, settings, meter, () => sent ?? Infinity, true, signal)])
}

function checkSettings(temporary: boolean, { mode, destinations, address }: BenchSettings): void {
  if (mode === 'sub' && temporary)
    throw usageError('`bench sub` needs to know where messages are: give queue:NAME or topic:NAME/SUBSCRIPTION.')
  if (mode !== 'pub' && destinations > 1) throw usageError('--destinations is for `bench pub`.')
  if (mode !== 'sub' && parseAddress(address).kind === 'subscription')
    throw usageError(`${address} is a subscription; publish to its topic.`)
}

// ---- destinations ---------------------------------------------------------------------------------------------------

const CALLS_AT_ONCE = 256

async function createDestinations(client: Millrace, settings: BenchSettings): Promise<void> {
  if (settings.mode === 'sub') return
  await forEachDestination(settings, async (kind, name) => {
    if (await exists(client, kind, name)) return
    await (kind === 'queue' ? client.admin.createQueue({ name }) : client.admin.createTopic({ name }))
  })
}

async function deleteDestinations(client: Millrace, settings: BenchSettings): Promise<void> {
  await forEachDestination(settings, (kind, name) =>
    kind === 'queue' ? client.admin.deleteQueue(name) : client.admin.deleteTopic(name),
  )
}

async function forEachDestination(
  settings: BenchSettings,
  work: (kind: 'queue' | 'topic', name: string) => Promise<void>,
): Promise<void> {
  const destinations = addressesOf(settings).map(parseDestination)
  for (let first = 0; first < destinations.length; first += CALLS_AT_ONCE) {
    const some = destinations.slice(first, first + CALLS_AT_ONCE)
    await Promise.all(some.map(({ kind, name }) => work(kind, name)))
  }
}

async function exists(client: Millrace, kind: 'queue' | 'topic', name: string): Promise<boolean> {
  try {
    await (kind === 'queue' ? client.admin.queue(name) : client.admin.topic(name))
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === 'not_found') return false
    throw error
  }
}

// ---- report ---------------------------------------------------------------------------------------------------------

function header(settings: BenchSettings, status: BrokerStatus, url: string): readonly string[] {
  const what = { pub: 'publish to', sub: 'consume from', e2e: 'publish to and consume from' }[settings.mode]
  const where =
    settings.destinations === 1 ? settings.address : `${formatCount(settings.destinations)} destinations ${settings.address}-*`
  const confirm =
    settings.mode === 'sub'
      ? `each message acked, at most ${formatCount(settings.prefetch)} unacked`
      : `each message confirmed, at most ${formatCount(settings.window)} unconfirmed`
  const batch =
    settings.batchMessages === undefined ? 'batches of up to 64 KiB' : `batches of ${formatCount(settings.batchMessages)}`
  const rate = settings.rate === undefined ? 'as fast as it goes' : `${formatCount(settings.rate)} msg/s`
  return [
    `${what} ${where} at ${url}, Millrace ${status.version}, engine ${status.engine}`,
    `durability ${status.durability} (${durabilityMeaning(status)}), ${confirm}`,
    `messages of ${formatBytes(settings.sizeBytes)}, ${batch}, ${rate}`,
  ]
}

function durabilityMeaning({ engine, durability }: BrokerStatus): string {
  if (engine === 'memory') return 'confirmed once in memory'
  return durability === 'fsync' ? 'confirmed once the disk has it' : 'confirmed once the operating system has it'
}

function resultOf(settings: BenchSettings, status: BrokerStatus, meter: Meter): Record<string, unknown> {
  const { messages, elapsedMs, total } = meter
  const perSecond = (messages * 1000) / elapsedMs
  const { version, engine, durability } = status
  return {
    mode: settings.mode,
    address: settings.address,
    broker: { version, engine, durability },
    confirm: settings.mode === 'sub' ? 'ack' : 'each',
    destinations: settings.destinations,
    sizeBytes: settings.sizeBytes,
    batchMessages: settings.batchMessages ?? null,
    window: settings.window,
    rate: settings.rate ?? null,
    messages,
    elapsedMs,
    messagesPerSecond: perSecond,
    bytesPerSecond: perSecond * settings.sizeBytes,
    latencyMs: {
      p50: total.percentileMs(0.5),
      p90: total.percentileMs(0.9),
      p99: total.percentileMs(0.99),
      p999: total.percentileMs(0.999),
      max: total.maxMs,
    },
    correctedForCoordinatedOmission: settings.rate !== undefined,
  }
}

function fieldsOf(meter: Meter, settings: BenchSettings): (readonly [string, string])[] {
  const { messages, elapsedMs, total } = meter
  const perSecond = (messages * 1000) / elapsedMs
  const fields: (readonly [string, string])[] = [
    ['messages', formatCount(messages)],
    ['seconds', (elapsedMs / 1000).toFixed(2)],
    ['messages/s', formatCount(perSecond)],
    ['MB/s', ((perSecond * settings.sizeBytes) / 1e6).toFixed(1)],
  ]
  if (settings.mode === 'sub') return fields
  const correction = settings.rate === undefined ? '' : ' (corrected for coordinated omission)'
  const latencies = [
    ['p50', 0.5],
    ['p90', 0.9],
    ['p99', 0.99],
    ['p99.9', 0.999],
  ] as const
  for (const [name, share] of latencies)
    fields.push([`latency ${name}`, formatMilliseconds(total.percentileMs(share)) + correction])
  fields.push(['latency max', formatMilliseconds(total.maxMs) + correction])
  return fields
}
