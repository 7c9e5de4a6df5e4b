/** A member of a group as a client library plays it, step by step, for tests. */
import type { Broker } from '../../src/core/broker.ts'
import type { GroupProblem, JoinedGroup, JoinRequest, JoinResult, SyncResult } from '../../src/core/groups/consumer-groups.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface ClientSettings extends Partial<Omit<JoinRequest, 'protocols'>> {
  /** Protocol names and metadata. */
  readonly protocols?: readonly (readonly [string, string])[]
}

export class GroupClient {
  readonly #test: { readonly broker: Broker }
  readonly name: string
  settings: ClientSettings
  memberId = ''
  /** What was answered last; undefined while it waits. */
  joined: JoinResult | undefined
  synced: SyncResult | undefined
  /** Called with each answer to a join. */
  onJoined: ((result: JoinResult) => void) | undefined

  /** @param test its broker may become another one */
  constructor(test: { readonly broker: Broker }, name: string, settings: ClientSettings = {}) {
    this.#test = test
    this.name = name
    this.settings = settings
  }

  get group(): string {
    return this.settings.group ?? 'g'
  }

  get generation(): number {
    return this.joined?.problem === undefined ? (this.joined?.generation ?? -1) : -1
  }

  get isLeader(): boolean {
    return this.joined?.problem === undefined && this.joined?.leader === this.memberId
  }

  get assignment(): string | undefined {
    return this.synced?.problem === undefined && this.synced !== undefined ? decoder.decode(this.synced.assignment) : undefined
  }

  get identity(): { memberId: string; generation: number; instanceId?: string } {
    const { instanceId } = this.settings
    return { memberId: this.memberId, generation: this.generation, ...(instanceId === undefined ? {} : { instanceId }) }
  }

  join(change: ClientSettings = {}): this {
    this.settings = { ...this.settings, ...change }
    const { protocols = [['range', this.name]], ...settings } = this.settings
    this.joined = undefined
    this.synced = undefined
    this.#test.broker.groups.join(
      {
        group: this.group,
        memberId: this.memberId,
        clientId: this.name,
        clientHost: '/10.0.0.1',
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 30_000,
        protocolType: 'consumer',
        protocols: protocols.map(([name, metadata]) => ({ name, metadata: encoder.encode(metadata) })),
        ...settings,
      },
      (result) => {
        this.joined = result
        if (result.memberId !== '') this.memberId = result.memberId
        this.onJoined?.(result)
      },
    )
    return this
  }

  /** @param assignments by member id */
  sync(assignments: Readonly<Record<string, string>> = {}, change: { generation?: number; protocol?: string } = {}): this {
    this.synced = undefined
    this.#test.broker.groups.sync(
      {
        group: this.group,
        ...this.identity,
        assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: encoder.encode(text) })),
        ...change,
      },
      (result) => {
        this.synced = result
      },
    )
    return this
  }

  heartbeat(): GroupProblem | undefined {
    return this.#test.broker.groups.heartbeat({ group: this.group, ...this.identity })
  }

  leave(): void {
    this.#test.broker.groups.leave(this.group, [{ memberId: this.memberId }])
  }

  /** Of a leader: the names of those who joined, which their metadata is. */
  get members(): string[] {
    return (this.joined as JoinedGroup).members.map(({ metadata }) => decoder.decode(metadata)).toSorted()
  }
}
