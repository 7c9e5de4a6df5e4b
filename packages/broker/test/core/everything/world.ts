/** Queues, a topic and its subscriptions whose features are on or off by chance. */
import type { DeliveryPolicy, QueueLimits } from '../../../src/core/broker.ts'
import type { VirtualPlatform } from '../../../sim/virtual-platform.ts'
import type { TestBroker } from '../harness.ts'

export const LEASE_MS = 1000
/** Messages that one consumer may hold. */
export const IN_FLIGHT_MAX = 12
export const TOPIC = 'topic:t'
/** Gets second copies. */
export const MIRROR = 'queue:mirror'

/** Whatever can be consumed. */
export interface Source {
  /** `queue:NAME` or `topic:t/NAME`. */
  readonly address: string
  readonly policy: DeliveryPolicy
  readonly limits?: QueueLimits
  /** 0: no dedup. */
  readonly windowMs: number
  /** Only messages whose number is a multiple of it are delivered. */
  readonly modulus: number
  paused: boolean
  /** The ticket of the last change of that. */
  pausedIn: number
  /** One consumer at a time is asked for. */
  single: boolean
  /** The ticket of the last change of that. */
  singleIn: number
}

export class World {
  readonly sources: readonly Source[]
  readonly partitions: number
  /** Every second consumer comes there, to stand in line. */
  readonly crowded: Source

  private constructor(sources: readonly Source[], partitions: number, crowded: Source) {
    this.sources = sources
    this.partitions = partitions
    this.crowded = crowded
  }

  static create({ broker, platform }: TestBroker): World {
    const partitions = 1 + platform.below(2)
    broker.createTopic({ name: 't', partitions })
    // Each only to those after it: dead letters do not go round in circles. Of the copies of one message only one can move, so that it is
    // always known which is where: nothing leaves the second subscription and the mirror for another place.
    const targets: Record<string, readonly (string | undefined)[]> = {
      'queue:w0': ['queue:w1', 'queue:dead', TOPIC, undefined],
      'topic:t/a': ['queue:w2', 'queue:dead', undefined],
      'topic:t/b': [undefined],
      'queue:w1': ['queue:w2', 'queue:dead', undefined],
      'queue:w2': ['queue:dead', undefined],
      'queue:dead': [undefined],
      [MIRROR]: [undefined],
    }
    const sources = Object.entries(targets).map(([address, choices]) =>
      newSource(platform, address, choices[platform.below(choices.length)]),
    )
    for (const { address, policy, limits, windowMs } of sources.toReversed()) {
      if (address.startsWith('topic:')) {
        broker.createSubscription({ topic: 't', name: address.slice(-1), from: 'earliest', delivery: policy })
        continue
      }
      broker.createQueue({
        name: address.slice('queue:'.length),
        delivery: policy,
        ...(limits === undefined ? {} : { limits }),
        ...(windowMs === 0 ? {} : { dedup: { windowMs } }),
      })
    }
    return new World(sources, partitions, sources[platform.below(sources.length)]!)
  }

  source(address: string): Source {
    return this.sources.find((source) => source.address === address)!
  }

  get queues(): readonly Source[] {
    return this.sources.filter(({ address }) => address.startsWith('queue:'))
  }

  get subscriptions(): readonly Source[] {
    return this.sources.filter(({ address }) => address.startsWith('topic:'))
  }

  /** Where messages come and go by themselves. */
  get busyQueues(): readonly Source[] {
    return this.queues.filter(({ address }) => address !== MIRROR)
  }

  /** In the order of `sources`, for the log. */
  get text(): string {
    return this.sources
      .map(({ address, policy, limits, windowMs }) => `${address} ${JSON.stringify({ ...policy, limits, windowMs })}`)
      .join('\n')
  }
}

export function policyOf({ policy, paused, single }: Source): DeliveryPolicy {
  return { ...policy, consumers: single ? 'single' : 'shared', ...(paused ? { paused } : {}) }
}

export function isSubscription({ address }: Source): boolean {
  return address.startsWith('topic:')
}

/** Whether one consumer gets all. */
export function isSingle({ policy, single }: Source): boolean {
  return single || policy.order === 'strict'
}

export function nameOf({ address }: Source): string {
  return address.slice(address.search(/[:/][^:/]*$/) + 1)
}

function newSource(platform: VirtualPlatform, address: string, deadLetter: string | undefined): Source {
  const chance = (oneIn: number): boolean => platform.below(oneIn) === 0
  const isQueue = address.startsWith('queue:')
  const modulus = !isQueue && chance(2) ? 2 + platform.below(2) : 1
  const policy: DeliveryPolicy = {
    leaseMs: LEASE_MS,
    order: (['none', 'none', 'key', 'strict'] as const)[platform.below(4)]!,
    ...(deadLetter === undefined ? {} : { deadLetter }),
    ...(chance(2) ? { maxAttempts: 1 + platform.below(4) } : {}),
    ...(chance(3) ? { backoff: { kind: 'exponential', initialMs: 1 + platform.below(500), maxMs: 2000, jitter: 0.5 } } : {}),
    ...(chance(3) ? { consumers: 'single' } : {}),
    ...(chance(4) ? { ratePerSecond: 5 + platform.below(50) } : {}),
    ...(chance(3) ? { ttlMs: 1000 + platform.below(8000) } : {}),
    ...(modulus === 1 ? {} : { filter: `n % ${modulus} = 0` }),
  }
  const overflow = (['reject', 'drop-head', 'dead-letter'] as const)[platform.below(3)]!
  const limits = isQueue && chance(3) ? { messages: 5 + platform.below(30), overflow } : undefined
  const windowMs = isQueue && chance(3) ? 500 + platform.below(5000) : 0
  return {
    address,
    policy,
    ...(limits === undefined ? {} : { limits }),
    windowMs,
    modulus,
    paused: false,
    pausedIn: 0,
    single: policy.consumers === 'single',
    singleIn: 0,
  }
}
