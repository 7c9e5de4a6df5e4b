import { MillraceError, type Millrace, parseTopicAddress, topicAddress } from '@millrace/client'
import type { StreamsOptions } from '../api.ts'
import { StreamError } from '../stream-error.ts'
import type { OperatorNode, Topology } from '../topology/topology.ts'
import { prepareLanes } from './lane-queues.ts'
import { existing } from './existing.ts'
import type { Settings } from './settings.ts'

/** Creates what the application needs on the broker, and finds out what is there. */
export class Preparation {
  readonly #settings: Settings
  readonly #topology: Topology
  /** Partitions of topics, by destination. */
  readonly partitions: Map<string, number> = new Map()

  constructor(settings: Settings, topology: Topology) {
    this.#settings = settings
    this.#topology = topology
  }

  /** @returns how many lanes there are. @throws MillraceError, StreamError */
  async run(): Promise<number> {
    const { sources, targets } = this.#topology
    for (const { declaration } of sources.values()) if (declaration !== undefined) await this.#declared(declaration)
    for (const target of targets.values()) await this.#declared(target)
    await this.#deadLetters(this.#settings.onFailure)
    const most = Math.max(1, ...[...sources.keys()].map((topic) => this.partitions.get(topicAddress(topic)) ?? 1))
    const partitions = this.#settings.partitions ?? most
    for (const { topic, declaration } of sources.values()) {
      if (declaration === undefined) await this.#topic(topic, { partitions, retention: { ms: this.#settings.keepMs } })
    }
    for (const node of this.#topology.nodes) await this.#state(node)
    const lanes = Math.max(1, ...[...sources.keys()].map((topic) => this.partitions.get(topicAddress(topic))!))
    await prepareLanes(this.#settings, this.#topology, lanes)
    return lanes
  }

  // ---- topics ---------------------------------------------------------------------------------------------------------

  async #declared(declaration: {
    readonly name: string
    readonly destination: string
    declare(client: Millrace): Promise<void>
  }): Promise<void> {
    const { client } = this.#settings
    const isTopic = declaration.destination.startsWith('topic:')
    const { admin } = client
    const there = await existing<unknown>(isTopic ? admin.topic(declaration.name) : admin.queue(declaration.name))
    if (there === undefined) await declaration.declare(client)
    if (isTopic) await this.#learn(declaration.name)
  }

  async #deadLetters(policy: StreamsOptions['onFailure']): Promise<void> {
    if (typeof policy !== 'object') return
    const topic = parseTopicAddress(policy.deadLetter)
    const name = /^queue:(.+)$/.exec(policy.deadLetter)?.[1] ?? topic?.name
    if (name === undefined || name === '' || topic?.subscription !== undefined) {
      const what = `\`deadLetter\` is queue:NAME or topic:NAME, not ${JSON.stringify(policy.deadLetter)}.`
      throw new MillraceError('bad_request', what)
    }
    const { admin } = this.#settings.client
    if (topic !== undefined) await this.#topic(name, {})
    else if ((await existing(admin.queue(name))) === undefined) await admin.createQueue({ name })
  }

  async #topic(name: string, spec: Omit<Parameters<Millrace['admin']['createTopic']>[0], 'name'>): Promise<void> {
    const { admin } = this.#settings.client
    if ((await existing(admin.topic(name))) === undefined) await admin.createTopic({ ...spec, name })
    await this.#learn(name)
  }

  async #learn(topic: string): Promise<void> {
    const { partitions } = await this.#settings.client.admin.topic(topic)
    this.partitions.set(topicAddress(topic), partitions)
  }

  // ---- state ----------------------------------------------------------------------------------------------------------

  async #state(node: OperatorNode): Promise<void> {
    if (!node.isKeyed) return
    const counts = [...node.topics].map((topic) => ({ topic, partitions: this.partitions.get(topicAddress(topic))! }))
    const { partitions } = counts[0]!
    if (counts.some((count) => count.partitions !== partitions)) {
      const listed = counts.map((count) => `${count.topic} has ${count.partitions}`).join(', ')
      const what = `${node.name} needs topics with equally many partitions, so that equal keys meet: ${listed}. Put \`key\` before it.`
      throw new StreamError(this.#settings.name, what, { operator: node.name })
    }
    if (!node.hasState) return
    const topic = this.#topology.stateTopic(node.name)
    await this.#topic(topic, { partitions, cleanup: 'compact' })
    const there = this.partitions.get(topicAddress(topic))!
    if (there === partitions) return
    const what = `${node.name} has its state in ${there} partitions, and its records come from ${partitions} now: keys are elsewhere than their state. Start anew with reset(), or under another name.`
    throw new StreamError(this.#settings.name, what, { operator: node.name })
  }
}
