import { MillraceError, partitionOfKey, topicAddress } from '@millrace/client'
import type { LaneInfo, OperatorInfo, StreamsInfo, StreamsState } from '../api.ts'
import type { LaneStore } from '../state/lane-store.ts'
import { StreamError, textOf } from '../stream-error.ts'
import type { StateQueries } from '../topology/flow-table.ts'
import type { OperatorNode, Topology } from '../topology/topology.ts'
import { Alignment } from './alignment.ts'
import { balance } from './balance.ts'
import { Counts } from './counts.ts'
import { Lane } from './lane.ts'
import { BALANCE_MS, GROWTH_ROUNDS } from './limits.ts'
import { existing } from './existing.ts'
import { Preparation } from './preparation.ts'
import type { Settings } from './settings.ts'

const encoder = new TextEncoder()

/**
 * An application at run time: its lanes.
 *
 * new -> starting -> running -> stopping -> stopped
 *              \________\___________\-----> failed
 */
export class Application implements StateQueries {
  readonly settings: Settings
  readonly topology: Topology
  /** Partitions of topics, by destination. Fixed while it runs. */
  readonly partitions: Map<string, number> = new Map()
  readonly done: Promise<void>
  #state: StreamsState = 'new'
  #lanes: Lane[] = []
  alignment: Alignment = new Alignment(undefined, [])
  readonly #counts = new Counts()
  readonly #waiting = new Set<() => void>()
  #running: Promise<unknown> = Promise.resolve()
  #stopBalance: (() => void) | undefined
  #stopListening: (() => void) | undefined
  #rounds = 0
  #isBalancing = false
  #commitNumber = 0
  #failure: unknown
  #finish!: () => void
  #fail!: (error: unknown) => void

  constructor(settings: Settings, topology: Topology) {
    this.settings = settings
    this.topology = topology
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
    })
    // Whoever does not look at `done` finds it in `info`.
    this.done.catch(() => {})
  }

  get state(): StreamsState {
    return this.#state
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') {
      throw new MillraceError('bad_request', `${this.settings.name} is ${this.#state}: an application is started once.`)
    }
    this.#state = 'starting'
    this.topology.finish()
    try {
      const preparation = new Preparation(this.settings, this.topology)
      const lanes = await preparation.run()
      for (const [destination, partitions] of preparation.partitions) this.partitions.set(destination, partitions)
      this.#lanes = Array.from({ length: lanes }, (_, number) => new Lane(this, number))
      this.alignment = new Alignment(this.topology.graceBehindKey, this.#lanes)
    } catch (error) {
      this.#end(error)
      throw error
    }
    if ((this.#state as StreamsState) === 'stopping') return this.#end(undefined)
    this.#state = 'running'
    this.#running = Promise.all(this.#lanes.map((lane) => this.#run(lane)))
    this.#stopBalance = this.settings.platform.every(BALANCE_MS, () => void this.#balance())
    this.#stopListening = this.settings.client.on('state', (state) => {
      if (state !== 'connected') for (const lane of this.#lanes) lane.disconnected()
    })
  }

  async stop(): Promise<void> {
    if (this.#state === 'new') this.#end(undefined)
    if (this.#state === 'starting' || this.#state === 'running') this.#stopLanes()
    await this.#running
    if (this.#state === 'stopping' && this.#lanes.length > 0) this.#end(this.#failure)
    await this.done.catch(() => {})
  }

  // ---- for lanes ------------------------------------------------------------------------------------------------------

  readonly partitionsOf = (topic: string): number => this.partitions.get(topicAddress(topic))!

  nextId(): string {
    const chance = (): string => this.settings.platform.random().toString(36).slice(2)
    return `${chance()}${chance()}-${this.#commitNumber++}`
  }

  /** A record was left out. */
  skipped(error: StreamError): void {
    this.#counts.lastSkip = error.message
    this.settings.onSkip?.(error)
  }

  committed(processed: number, skipped: number, deadLettered: number): void {
    this.#counts.commits++
    this.#counts.processed += processed
    this.#counts.skipped += skipped
    this.#counts.deadLettered += deadLettered
  }

  /** It came, or it committed. */
  laneChanged(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  // ---- StateQueries ---------------------------------------------------------------------------------------------------

  storeOf(node: OperatorNode, key: string): LaneStore {
    const partitions = this.partitions.get(topicAddress(this.topology.stateTopic(node.name)))
    if (partitions === undefined) throw this.#notHere(`${this.settings.name} is ${this.#state}`, node)
    const partition = partitionOfKey(encoder.encode(key), partitions)
    const store = this.#lanes[partition]?.storeOf(node.name)
    if (store !== undefined) return store
    const state = this.#lanes[partition]?.state ?? this.#state
    throw this.#notHere(`key ${JSON.stringify(key)} is in partition ${partition}, which is not here (${state})`, node)
  }

  storesOf(node: OperatorNode): readonly LaneStore[] {
    return this.#lanes.map((lane) => lane.storeOf(node.name)).filter((store) => store !== undefined)
  }

  // ---- looking at it --------------------------------------------------------------------------------------------------

  async caughtUp(): Promise<void> {
    for (;;) {
      const ends = new Map<string, readonly number[]>()
      for (const topic of this.topology.sources.keys()) {
        const { partitionInfo } = await this.settings.client.admin.topic(topic)
        ends.set(
          topic,
          partitionInfo.map(({ end }) => end),
        )
      }
      // What is processed on the way may have gone into topics of the application.
      if (this.#hasReached(ends)) return
      while (!this.#hasReached(ends)) await this.#change()
    }
  }

  info(): StreamsInfo {
    const { processed, skipped, deadLettered, commits, lastSkip } = this.#counts
    const operators = this.topology.nodes.map((node) => this.#operatorInfo(node))
    return {
      name: this.settings.name,
      state: this.#state,
      failure: this.#failure === undefined ? undefined : textOf(this.#failure),
      processed,
      late: operators.reduce((sum, { late }) => sum + late, 0),
      skipped,
      deadLettered,
      commits,
      lastSkip,
      lanes: this.#lanes.map((lane) => laneInfo(lane)),
      operators,
    }
  }

  async reset(): Promise<void> {
    if (this.#state !== 'new' && this.#state !== 'stopped' && this.#state !== 'failed') {
      throw new MillraceError('in_use', `${this.settings.name} is ${this.#state}: stop all of its instances before the reset.`)
    }
    const { admin } = this.settings.client
    const prefix = `${this.settings.name}.`
    const queues = (await admin.queues()).filter(({ name }) => isOf(name, `${prefix}lane.`, /^\d+$/))
    const busy = queues.find(({ consumers }) => consumers > 0)
    if (busy !== undefined) {
      throw new MillraceError(
        'in_use',
        `Somebody consumes from ${busy.name}: stop all instances of ${this.settings.name} before the reset.`,
      )
    }
    const topics = (await admin.topics()).filter(
      ({ name }) => name.startsWith(`${prefix}key.`) || name.startsWith(`${prefix}state.`),
    )
    for (const { name } of queues) await existing(admin.deleteQueue(name))
    for (const { name } of topics) await existing(admin.deleteTopic(name))
    // Last: a reset that was cut off before this is seen at the next start.
    await existing(admin.deleteTopic(this.topology.lanesTopic))
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  async #run(lane: Lane): Promise<void> {
    try {
      await lane.run()
    } catch (error) {
      this.#failure ??= error
      this.#stopLanes()
      void this.#ended()
    }
    this.laneChanged()
  }

  async #ended(): Promise<void> {
    await this.#running
    this.#end(this.#failure)
  }

  #stopLanes(): void {
    this.#state = 'stopping'
    this.#stopBalance?.()
    for (const lane of this.#lanes) lane.stop()
    this.laneChanged()
  }

  #end(failure: unknown): void {
    if (this.#state === 'stopped' || this.#state === 'failed') return
    this.#stopBalance?.()
    this.#stopListening?.()
    this.#failure ??= failure
    this.#state = failure === undefined ? 'stopped' : 'failed'
    if (failure === undefined) this.#finish()
    else this.#fail(failure)
    this.laneChanged()
  }

  async #balance(): Promise<void> {
    if (this.#isBalancing || this.#state !== 'running') return
    this.#isBalancing = true
    try {
      for (const lane of this.#lanes) lane.tidy()
      await balance(this, this.#lanes)
      if (++this.#rounds % GROWTH_ROUNDS === 0) await this.#checkGrowth()
    } catch (error) {
      // While the broker is away there is nothing to share; what is wrong for good ends the application.
      if (!(error instanceof MillraceError && error.retryable) && (this.#state as StreamsState) === 'running') {
        this.#failure ??= error
        this.#stopLanes()
        void this.#ended()
      }
    } finally {
      this.#isBalancing = false
    }
  }

  async #checkGrowth(): Promise<void> {
    for (const topic of this.topology.sources.keys()) {
      const { partitions } = await this.settings.client.admin.topic(topic)
      const before = this.partitionsOf(topic)
      if (partitions === before) continue
      const what = `topic ${topic} has ${partitions} partitions by now, and had ${before} at the start: start again to read all of them.`
      throw new StreamError(this.settings.name, what)
    }
  }

  #hasReached(ends: ReadonlyMap<string, readonly number[]>): boolean {
    if (this.#state === 'failed' || this.#failure !== undefined) throw this.#failure
    if (this.#state !== 'running') throw new MillraceError('closed', `${this.settings.name} is ${this.#state}.`)
    const here = this.#lanes.filter(({ state }) => state !== 'waiting')
    if (here.length === 0) return false
    return here.every(({ task, number }) =>
      task?.readers.every(({ source, committedPosition }) => committedPosition >= ends.get(source.topic)![number]!),
    )
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve)
    })
  }

  #operatorInfo(node: OperatorNode): OperatorInfo {
    const sums = { received: 0, emitted: 0, late: 0, entries: 0 }
    for (const { task } of this.#lanes) {
      const operator = task?.operators.get(node)
      sums.received += operator?.received ?? 0
      sums.emitted += operator?.emitted ?? 0
      sums.late += operator?.late ?? 0
    }
    if (node.hasState) for (const store of this.storesOf(node)) sums.entries += store.size
    return { name: node.name, kind: node.kind, ...sums }
  }

  #notHere(why: string, node: OperatorNode): StreamError {
    return new StreamError(this.settings.name, `${node.name} cannot be asked: ${why}.`, { operator: node.name })
  }
}

function laneInfo({ number, state, task }: Lane): LaneInfo {
  const positions = Object.fromEntries((task?.readers ?? []).map((reader) => [reader.source.topic, reader.committedPosition]))
  return { lane: number, state, positions }
}

function isOf(name: string, prefix: string, rest: RegExp): boolean {
  return name.startsWith(prefix) && rest.test(name.slice(prefix.length))
}
