import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type * as prom from 'prom-client'
import type { Broker, DeliveryInfo } from '../../core/broker.ts'
import type { LogStore } from '../../storage/log-store.ts'
import type { Config } from '../config/config.ts'
import type { Listener } from '../listeners/listener.ts'

export interface MetricSources {
  readonly broker: Broker
  readonly store: LogStore
  readonly listeners: () => readonly Pick<Listener, 'door' | 'name' | 'connections' | 'accepted'>[]
  readonly config: Config['metrics']
  readonly nowMs: () => number
}

type Client = typeof prom

/**
 * Figures for Prometheus. The library is loaded by the first scrape: who does not scrape pays nothing, and histograms,
 * which are read as differences between scrapes, lose nothing.
 */
export class Metrics {
  readonly #sources: MetricSources
  #registry: Promise<Registry> | undefined
  #stop: (() => void) | undefined
  #closed = false

  constructor(sources: MetricSources) {
    this.#sources = sources
  }

  async scrape(): Promise<{ readonly contentType: string; readonly text: string }> {
    this.#registry ??= this.#open()
    const registry = await this.#registry
    return { contentType: registry.contentType, text: await registry.metrics() }
  }

  close(): void {
    this.#closed = true
    this.#stop?.()
  }

  async #open(): Promise<Registry> {
    // CommonJS: everything is on the default export.
    const { default: client } = (await import('prom-client')) as unknown as { default: Client }
    const registry = new client.Registry()
    client.collectDefaultMetrics({ register: registry })
    addBrokerMetrics(client, registry, this.#sources)
    addTransactionMetrics(client, registry, this.#sources)
    addStoreMetrics(client, registry, this.#sources)
    addConnectionMetrics(client, registry, this.#sources)
    if (this.#sources.config.perObject) {
      addObjectMetrics(client, registry, this.#sources)
      addGroupMetrics(client, registry, this.#sources)
    }
    const commits = commitHistogram(client, registry)
    const { store } = this.#sources
    if (!this.#closed) this.#stop = store.onCommitted(() => commits.observe(store.stats.lastAppendMs / 1000))
    return registry
  }
}

function addBrokerMetrics(client: Client, registry: Registry, { broker }: MetricSources): void {
  const total = (name: string, help: string, read: (stats: ReturnType<Broker['stats']>) => number): void =>
    counter(client, registry, name, help, () => read(broker.stats()))
  total('millrace_messages_published_total', 'Messages published.', (stats) => stats.publishedMessages)
  total('millrace_messages_published_bytes_total', 'Bytes of record batches published.', (stats) => stats.publishedBytes)
  total(
    'millrace_messages_delivered_total',
    'Messages handed to consumers, redeliveries included.',
    (stats) => stats.deliveredMessages,
  )
  total('millrace_messages_acked_total', 'Messages acknowledged by consumers.', (stats) => stats.ackedMessages)
  total('millrace_messages_redelivered_total', 'Messages handed out again.', (stats) => stats.redeliveredMessages)
  total('millrace_messages_dead_lettered_total', 'Messages that went to dead letters.', (stats) => stats.deadLetteredMessages)
  total(
    'millrace_messages_dropped_total',
    'Messages that expired, failed, were too much or purged.',
    (stats) => stats.droppedMessages,
  )
  gauge(client, registry, 'millrace_topics', 'Topics that exist.', () => broker.stats().topics)
  gauge(client, registry, 'millrace_queues', 'Queues that exist.', () => broker.stats().queues)
  gauge(
    client,
    registry,
    'millrace_messages_scheduled',
    'Messages that wait for their time.',
    () => broker.stats().scheduledMessages,
  )
  gauge(client, registry, 'millrace_consumers', 'Consumers that are attached.', () => broker.stats().consumers)
  gauge(client, registry, 'millrace_congested', '1 while publishers are held back.', () => (broker.congested ? 1 : 0))
}

/** Transactions that stay open over many requests. */
function addTransactionMetrics(
  client: Client,
  registry: Registry,
  { broker: { producerTransactions }, nowMs }: MetricSources,
): void {
  const figures = (): ReturnType<typeof producerTransactions.figures> => producerTransactions.figures()
  const ended = (outcome: string, help: string, read: () => number): void =>
    counter(client, registry, `millrace_transactions_${outcome}_total`, help, read)
  ended('committed', 'Open transactions that were committed.', () => figures().committed)
  ended(
    'aborted',
    'Open transactions that were aborted, by their producer, their timeout or an operator.',
    () => figures().aborted,
  )
  const now = (name: string, help: string, read: () => number): void =>
    gauge(client, registry, `millrace_transactions_${name}`, help, read)
  now('open', 'Transactions that are open.', () => figures().open)
  now('committing', 'Transactions that are committed and still being published.', () => figures().committing)
  now('waiting_bytes', 'What open transactions hold.', () => figures().bytes)
  now('producers', 'Transactional producers that are remembered.', () => figures().producers)
  now('oldest_open_seconds', 'Age of the transaction that is open for longest.', () => {
    const { oldestStartedMs } = figures()
    return oldestStartedMs === undefined ? 0 : Math.max(0, nowMs() - oldestStartedMs) / 1000
  })
}

function addStoreMetrics(client: Client, registry: Registry, { store }: MetricSources): void {
  counter(client, registry, 'millrace_journal_commits_total', 'Commits written to the journal.', () => store.stats.commits)
  counter(
    client,
    registry,
    'millrace_journal_committed_bytes_total',
    'Bytes written to the journal.',
    () => store.stats.committedBytes,
  )
  counter(client, registry, 'millrace_journal_checkpoints_total', 'Checkpoints written.', () => store.stats.checkpoints)
  counter(
    client,
    registry,
    'millrace_journal_copied_forward_bytes_total',
    'Live bytes moved to free old extents.',
    () => store.stats.copiedForwardBytes,
  )
  gauge(client, registry, 'millrace_journal_bytes', 'Bytes that the journal holds.', () => store.stats.journalBytes)
  gauge(
    client,
    registry,
    'millrace_journal_live_bytes',
    'Bytes in the journal that are still needed.',
    () => store.stats.liveBytes,
  )
  gauge(client, registry, 'millrace_store_pending_bytes', 'Bytes that wait to be written.', () => store.pendingBytes)
  gauge(client, registry, 'millrace_store_index_bytes', 'Memory of the index.', () => store.stats.indexBytes)
  gauge(client, registry, 'millrace_store_cache_bytes', 'Memory of the tail cache.', () => store.stats.cacheBytes)
  gauge(client, registry, 'millrace_store_accepts_publishes', '0 while the disk has no room for new messages.', () =>
    store.acceptsPublishes ? 1 : 0,
  )
}

function addConnectionMetrics(client: Client, registry: Registry, { listeners }: MetricSources): void {
  const open: Gauge<'door' | 'listener'> = new client.Gauge({
    name: 'millrace_connections',
    help: 'Open connections.',
    labelNames: ['door', 'listener'],
    registers: [registry],
    collect: () => {
      for (const { door, name, connections } of listeners()) open.set({ door, listener: name }, connections)
    },
  })
  const accepted: Counter<'door' | 'listener'> = new client.Counter({
    name: 'millrace_connections_accepted_total',
    help: 'Connections accepted.',
    labelNames: ['door', 'listener'],
    registers: [registry],
    collect: () => {
      accepted.reset()
      for (const { door, name, accepted: count } of listeners()) accepted.inc({ door, listener: name }, count)
    },
  })
}

/** Series per queue and subscription, for at most `objectsMax` of them, by name: the same ones at every scrape. */
function addObjectMetrics(client: Client, registry: Registry, { broker, config, nowMs }: MetricSources): void {
  const figures: readonly (readonly [string, string, (info: DeliveryInfo) => number])[] = [
    ['ready_messages', 'Messages that wait for a consumer.', (info) => info.ready],
    ['in_flight_messages', 'Messages that consumers hold.', (info) => info.inFlight],
    ['consumers', 'Consumers that are attached.', (info) => info.consumers],
    [
      'oldest_message_age_seconds',
      'Age of the oldest message that is not acknowledged.',
      (info) => (info.oldestTimestampMs === undefined ? 0 : Math.max(0, nowMs() - info.oldestTimestampMs) / 1000),
    ],
  ]
  const queues = (): readonly DeliveryInfo[] => broker.queues().toSorted(byName).slice(0, config.objectsMax)
  const subscriptions = (): readonly DeliveryInfo[] =>
    broker
      .subscriptions()
      .toSorted((a, b) => byName({ name: `${a.topic}/${a.name}` }, { name: `${b.topic}/${b.name}` }))
      .slice(0, Math.max(0, config.objectsMax - broker.stats().queues))
  for (const [name, help, read] of figures) {
    labelled(client, registry, `millrace_queue_${name}`, help, ['queue'], queues, read)
    labelled(client, registry, `millrace_subscription_${name}`, help, ['topic', 'subscription'], subscriptions, read)
  }
  gauge(
    client,
    registry,
    'millrace_objects_without_metrics',
    'Queues and subscriptions beyond metrics.objectsMax, which have no series.',
    () => Math.max(0, broker.stats().queues + broker.subscriptions().length - config.objectsMax),
  )
}

/** Series per consumer group and topic, for at most `objectsMax` groups, by name. */
function addGroupMetrics(client: Client, registry: Registry, { broker, config }: MetricSources): void {
  const lag: Gauge<'group' | 'topic'> = new client.Gauge({
    name: 'millrace_group_lag_messages',
    help: 'Messages that a consumer group has not read yet, as far as its committed offsets tell.',
    labelNames: ['group', 'topic'],
    registers: [registry],
    collect: () => {
      lag.reset()
      for (const { name: group } of broker.groups.list().toSorted(byName).slice(0, config.objectsMax)) {
        for (const partition of broker.groups.lag(group) ?? []) lag.inc({ group, topic: partition.topic }, partition.lag)
      }
    },
  })
}

function labelled(
  client: Client,
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  objects: () => readonly DeliveryInfo[],
  read: (info: DeliveryInfo) => number,
): void {
  const series: Gauge = new client.Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect: () => {
      // Objects that were deleted lose their series.
      series.reset()
      for (const info of objects()) series.set(labelsOf(info), read(info))
    },
  })
}

function labelsOf(info: DeliveryInfo): Record<string, string> {
  const { topic, name } = info as DeliveryInfo & { readonly topic?: string; readonly name: string }
  return topic === undefined ? { queue: name } : { topic, subscription: name }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}

function commitHistogram(client: Client, registry: Registry): Histogram {
  return new client.Histogram({
    name: 'millrace_journal_commit_seconds',
    help: 'How long the journal took to make a commit durable, since the first scrape.',
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [registry],
  })
}

function counter(client: Client, registry: Registry, name: string, help: string, read: () => number): void {
  const metric: Counter = new client.Counter({
    name,
    help,
    registers: [registry],
    collect: () => {
      metric.reset()
      metric.inc(read())
    },
  })
}

function gauge(client: Client, registry: Registry, name: string, help: string, read: () => number): void {
  const metric: Gauge = new client.Gauge({ name, help, registers: [registry], collect: () => metric.set(read()) })
}
