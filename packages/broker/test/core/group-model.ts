/**
 * A random program of one group: members that come, heartbeat, commit, leave, crash, fall asleep and come back, static or not, while the
 * broker is killed now and then; and what must hold:
 *
 * - of one generation, no partition is assigned to two members;
 * - a member is never told of a generation that is older than one that somebody was told of before;
 * - commits of a generation that is over, and of members that were replaced, are refused;
 * - committed offsets are those of a prefix of the commits, which has all that was announced as durable;
 * - who lives ends up in the group, with all partitions assigned, and nobody else.
 */
import type { JoinedGroup } from '../../src/core/groups/consumer-groups.ts'
import { GroupClient } from './group-client.ts'
import { TestBroker } from './harness.ts'

const PARTITIONS = 12
const SESSION_MS = 6000
const TOPIC = 't'

type Phase = 'out' | 'joining' | 'syncing' | 'member'

class Actor {
  readonly client: GroupClient
  readonly instanceId: string | undefined
  phase: Phase = 'out'
  partitions: number[] = []

  constructor(
    test: TestBroker,
    name: string,
    instanceId: string | undefined,
    requireMemberId: boolean,
    rebalanceTimeoutMs: number,
  ) {
    this.instanceId = instanceId
    this.client = new GroupClient(test, name, {
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs,
      requireMemberId,
      canSkipAssignment: requireMemberId,
      ...(instanceId === undefined ? {} : { instanceId }),
    })
  }
}

interface Commit {
  readonly ticket: number
  readonly offsets: readonly (readonly [partition: number, offset: number])[]
}

export class GroupModel {
  readonly counts = { generations: 0, commits: 0, refused: 0, replaced: 0, crashes: 0 }
  readonly #test: TestBroker
  readonly #actors: Actor[] = []
  /** Actors whose process is gone: the broker may still wait for them. */
  #ghosts: Actor[] = []
  /** Who was assigned a partition, by generation. */
  readonly #owners = new Map<string, string>()
  #latestGeneration = 0
  /** The member that was last told that it has an instance id. */
  readonly #instances = new Map<string, string>()
  #certain = new Map<number, number>()
  #commits: Commit[] = []
  readonly #log: string[] = []
  #names = 0

  private constructor(test: TestBroker) {
    this.#test = test
  }

  static async open(seed: number, members: number): Promise<GroupModel> {
    const small = seed % 2 === 0
    const storage = small ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4 } : {}
    const test = await TestBroker.open({ storage, groups: { initialRebalanceDelayMs: seed % 3 === 0 ? 0 : 100 } }, seed)
    test.broker.createTopic({ name: TOPIC, partitions: PARTITIONS })
    await test.settle()
    const model = new GroupModel(test)
    for (let n = 0; n < members; n++) model.#actors.push(model.#newActor(n % 4 === 0 ? `i${n}` : undefined))
    return model
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#comeToRest()
    await this.#checkOffsets(this.#test.broker.committedTicket)
  }

  async #step(): Promise<void> {
    const { platform } = this.#test
    const dice = platform.below(1000)
    const n = platform.below(this.#actors.length)
    const actor = this.#actors[n]!
    if (dice < 650) this.#attend(actor)
    else if (dice < 800) this.#commit(actor)
    else if (dice < 815) this.#commit(this.#ghosts[platform.below(Math.max(1, this.#ghosts.length))])
    else if (dice < 835) this.#leave(actor)
    else if (dice < 860) this.#replace(n)
    else if (dice < 870) platform.runTurn()
    else if (dice < 985) await this.#sleep(platform.below(4) === 0 ? platform.below(2000) : platform.below(100))
    else if (dice < 993) await this.#sleep(platform.below(8000))
    else await this.#crash()
  }

  // ---- what members do ------------------------------------------------------------------------------------------------

  /** The next thing that a client library does. */
  #attend(actor: Actor): void {
    const { client } = actor
    switch (actor.phase) {
      case 'out':
        client.memberId = ''
        this.#join(actor)
        break
      case 'joining':
        if (client.joined !== undefined) this.#joined(actor)
        break
      case 'syncing':
        if (client.synced !== undefined) this.#synced(actor)
        break
      case 'member': {
        const problem = client.heartbeat()
        if (problem !== undefined) this.#recover(actor, problem)
      }
    }
  }

  #join(actor: Actor): void {
    actor.phase = 'joining'
    actor.partitions = []
    actor.client.join()
  }

  #joined(actor: Actor): void {
    const { client } = actor
    const result = client.joined!
    if (result.problem !== undefined) {
      this.#recover(actor, result.problem)
      return
    }
    actor.phase = 'syncing'
    client.sync(client.isLeader && !result.skipAssignment ? this.#assignment(result.members.map(({ memberId }) => memberId)) : {})
  }

  /** A member was told of a generation, whenever it looks at it. */
  #told(client: GroupClient, { generation, memberId }: JoinedGroup): void {
    this.#note(`${memberId} joined ${generation}`)
    this.#assert(generation >= this.#latestGeneration, `generation ${generation} after ${this.#latestGeneration}`)
    if (generation > this.#latestGeneration) this.counts.generations++
    this.#latestGeneration = generation
    const { instanceId } = client.settings
    if (instanceId !== undefined) this.#instances.set(instanceId, memberId)
  }

  #assignment(memberIds: readonly string[]): Record<string, string> {
    const shares: Record<string, string> = {}
    memberIds.forEach((memberId, n) => {
      const mine = Array.from({ length: PARTITIONS }, (_, partition) => partition)
      shares[memberId] = mine.filter((partition) => partition % memberIds.length === n).join(',')
    })
    return shares
  }

  #synced(actor: Actor): void {
    const { client } = actor
    const { problem } = client.synced!
    if (problem !== undefined) {
      this.#recover(actor, problem)
      return
    }
    actor.phase = 'member'
    actor.partitions = client.assignment === '' ? [] : client.assignment!.split(',').map(Number)
    const owner = actor.instanceId ?? client.memberId
    for (const partition of actor.partitions) {
      const key = `${this.counts.crashes}/${client.generation}/${partition}`
      const other = this.#owners.get(key)
      this.#assert(other === undefined || other === owner, `${key} is assigned to ${other} and ${owner}`)
      this.#owners.set(key, owner)
    }
  }

  #recover(actor: Actor, problem: string): void {
    const { client } = actor
    this.#note(`${client.memberId || client.name}: ${problem}`)
    if (problem === 'unknown-member') client.memberId = ''
    this.#assert(problem !== 'fenced-instance' || this.#ghosts.includes(actor), `${client.name} is fenced by nobody`)
    this.#join(actor)
  }

  #leave(actor: Actor): void {
    // A static member that closes says nothing, as clients do.
    if (actor.phase === 'out' || actor.instanceId !== undefined) return
    actor.client.leave()
    actor.phase = 'out'
    this.#note(`${actor.client.memberId} left`)
  }

  /** The process of a member dies without a word, and another one starts. */
  #replace(n: number): void {
    const actor = this.#actors[n]!
    if (actor.phase === 'out') return
    this.#ghosts = [...this.#ghosts.slice(-10), actor]
    this.#actors[n] = this.#newActor(actor.instanceId)
    if (actor.instanceId !== undefined) this.counts.replaced++
    this.#note(`${actor.client.memberId} died`)
  }

  #commit(actor: Actor | undefined): void {
    if (actor?.phase !== 'member' || actor.partitions.length === 0) return
    const { client } = actor
    const { groups } = this.#test.broker
    const offsets = actor.partitions.map(
      (partition) => [partition, (groups.offset('g', TOPIC, partition)?.offset ?? 0) + 1] as const,
    )
    // Now and then with a generation that it was in before.
    const generation = this.#test.platform.below(5) === 0 ? client.generation - 1 : client.generation
    const ticketBefore = this.#test.broker.ticket()
    const result = groups.commitOffsets(
      'g',
      offsets.map(([partition, offset]) => ({ topic: TOPIC, partition, offset })),
      generation === client.generation ? client.identity : { ...client.identity, generation },
    )
    if (typeof result === 'string') {
      this.counts.refused++
      return
    }
    this.#assert(
      this.#isCurrent(client) && generation === this.#latestGeneration,
      `${client.memberId} could commit in ${generation}`,
    )
    this.counts.commits++
    this.#commits.push({ ticket: Math.max(ticketBefore, this.#test.broker.ticket()), offsets })
  }

  /** Nobody else was told that it has its instance id. */
  #isCurrent({ settings, memberId }: GroupClient): boolean {
    if (settings.instanceId === undefined) return true
    return this.#instances.get(settings.instanceId) === memberId
  }

  // ---- the broker -----------------------------------------------------------------------------------------------------

  async #sleep(ms: number): Promise<void> {
    await this.#test.advance(ms)
  }

  async #crash(): Promise<void> {
    const committed = this.#test.broker.committedTicket
    this.#note(`crash at ${committed}`)
    this.counts.crashes++
    await this.#test.crash()
    this.#latestGeneration = 0
    this.#instances.clear()
    // Their connections are gone; who was asked nothing asks again.
    for (const actor of this.#actors) if (actor.phase === 'joining' || actor.phase === 'syncing') this.#join(actor)
    await this.#checkOffsets(committed)
  }

  async #checkOffsets(committed: number): Promise<void> {
    await this.#test.settle()
    const found = new Map(this.#test.broker.groups.offsets('g').map(({ partition, offset }) => [partition, offset]))
    const state = new Map(this.#certain)
    const differs = (): boolean =>
      state.size !== found.size || [...state].some(([partition, offset]) => found.get(partition) !== offset)
    let done = 0
    while (done < this.#commits.length && (this.#commits[done]!.ticket <= committed || differs())) {
      for (const [partition, offset] of this.#commits[done++]!.offsets) state.set(partition, offset)
    }
    this.#assert(!differs(), `no prefix of the commits gives ${JSON.stringify([...found])}`)
    this.#certain = state
    this.#commits = []
  }

  /** Everybody behaves from now on. */
  async #comeToRest(): Promise<void> {
    for (let n = 0; n < 200; n++) {
      for (const actor of this.#actors) for (let times = 0; times < 3; times++) this.#attend(actor)
      await this.#sleep(500)
    }
    const described = this.#test.broker.groups.describe('g')!
    this.#assert(described.state === 'stable', `the group is ${described.state}`)
    const members = new Set(described.members.map(({ memberId }) => memberId))
    const living = new Set(this.#actors.map(({ client }) => client.memberId))
    this.#assert(members.size === living.size && [...living].every((id) => members.has(id)), 'the group has those who live')
    const assigned = this.#actors.flatMap(({ partitions }) => partitions).toSorted((a, b) => a - b)
    this.#assert(
      assigned.join(',') === Array.from({ length: PARTITIONS }, (_, n) => n).join(','),
      `assigned are ${assigned.join(',')}`,
    )
    for (const actor of this.#actors) {
      const before = this.counts.commits
      for (let n = 0; n < 50 && this.counts.commits === before; n++) this.#commit(actor)
      const { memberId } = actor.client
      this.#assert(actor.partitions.length === 0 || this.counts.commits > before, `${memberId} cannot commit`)
    }
  }

  #newActor(instanceId: string | undefined): Actor {
    const { platform } = this.#test
    const rebalanceTimeoutMs = 2000 + platform.below(10_000)
    const actor = new Actor(this.#test, `c${this.#names++}`, instanceId, platform.below(2) === 0, rebalanceTimeoutMs)
    actor.client.onJoined = (result) => {
      if (result.problem === undefined) this.#told(actor.client, result)
    }
    return actor
  }

  #note(text: string): void {
    this.#log.push(text)
  }

  #assert(condition: boolean, what: string): asserts condition {
    if (!condition) throw new Error(`${what}\n${this.#log.slice(-40).join('\n')}`)
  }
}
