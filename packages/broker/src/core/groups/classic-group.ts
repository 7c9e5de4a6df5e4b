/**
 * A group whose members agree among themselves: the broker gathers them into generations and passes on what their leader assigns.
 *
 * empty -> preparing-rebalance (waits for all to join) -> completing-rebalance (waits for the leader's assignment) -> stable
 */
import type { Timers } from '../timers.ts'
import { Alarm } from './alarm.ts'
import { ClassicMember } from './classic-member.ts'
import type {
  GroupDescription,
  GroupProblem,
  GroupState,
  GroupSummary,
  JoinedGroup,
  JoinRequest,
  JoinResult,
  LeavingMember,
  OffsetCommitter,
  SyncRequest,
  SyncResult,
} from './consumer-groups.ts'
import { FIRST_JOIN_MS_MAX, type GroupSettings, REBALANCE_WAIT_MS_MIN } from './limits.ts'
import { electedProtocol, isOfferedByAll } from './protocol-choice.ts'

/** What a group needs from its surroundings. */
export interface GroupHost {
  readonly timers: Timers
  readonly settings: GroupSettings
  monotonicMs(): number
  newMemberId(prefix: string): string
  /** The group has its first member, or lost its last one. */
  occupancyChanged(group: string, isOccupied: boolean): void
}

export class ClassicGroup {
  readonly name: string
  readonly #host: GroupHost
  #state: GroupState = 'empty'
  #generation = 0
  #protocolType = ''
  #protocol = ''
  #leader: ClassicMember | undefined
  readonly #members = new Map<string, ClassicMember>()
  /** Member ids of static members by instance id. */
  readonly #instances = new Map<string, string>()
  /** Ids that were given out and have not joined yet. */
  readonly #expected = new Map<string, Alarm>()
  /** Members of this generation that have not asked for their assignment. */
  readonly #unsynced = new Set<string>()
  readonly #joinAlarm: Alarm
  readonly #syncAlarm: Alarm
  /** While a group that was empty waits for more members: how long it may go on to do so; -1 at other times. */
  #gatherMsLeft = -1
  #cameMeanwhile = false

  constructor(name: string, host: GroupHost) {
    this.name = name
    this.#host = host
    this.#joinAlarm = new Alarm(host.timers, () => this.#joinTimeOver())
    this.#syncAlarm = new Alarm(host.timers, () => this.#syncTimeOver())
  }

  /** Nobody is in it, or about to be. */
  get isUnused(): boolean {
    return this.#members.size === 0 && this.#expected.size === 0 && this.#state === 'empty'
  }

  get hasMembers(): boolean {
    return this.#members.size > 0
  }

  // ---- join -----------------------------------------------------------------------------------------------------------

  join(request: JoinRequest, answer: (result: JoinResult) => void): void {
    const { memberId } = request
    if (!this.#hasRoomFor(memberId)) {
      this.#forget(memberId)
      answer({ problem: 'group-full', memberId: '' })
    } else if (!this.#agreesWith(request)) answer({ problem: 'inconsistent-protocol', memberId })
    else if (memberId === '') this.#joinNew(request, answer)
    else this.#joinKnown(request, answer)
  }

  #joinNew(request: JoinRequest, answer: (result: JoinResult) => void): void {
    const { instanceId, clientId } = request
    const id = this.#host.newMemberId(instanceId ?? clientId)
    const replaced = instanceId === undefined ? undefined : this.#instances.get(instanceId)
    if (replaced !== undefined) this.#replace(this.#members.get(replaced)!, id, request, answer)
    else if (instanceId === undefined && request.requireMemberId === true) {
      const alarm = new Alarm(this.#host.timers, () => {
        this.#forget(id)
        this.#maybeComplete()
      })
      alarm.set(this.#in(request.sessionTimeoutMs))
      this.#expected.set(id, alarm)
      answer({ problem: 'member-id-required', memberId: id })
    } else this.#add(id, request, answer)
  }

  #joinKnown(request: JoinRequest, answer: (result: JoinResult) => void): void {
    const { memberId, instanceId } = request
    if (this.#expected.has(memberId) && instanceId === undefined) {
      this.#add(memberId, request, answer)
      return
    }
    const problem = this.#problemOf(memberId, instanceId)
    if (problem !== undefined) {
      answer({ problem, memberId })
      return
    }
    const member = this.#members.get(memberId)!
    if (this.#needsRebalance(member, request)) {
      member.update(request)
      member.awaitJoin(answer)
      this.#rebalanceOrComplete()
    } else answer(this.#joined(member, this.#leader === member && this.#state === 'completing-rebalance'))
  }

  /** Otherwise it is a retry, or nothing has changed. */
  #needsRebalance(member: ClassicMember, request: JoinRequest): boolean {
    if (this.#state === 'preparing-rebalance' || !member.matches(request.protocols)) return true
    return this.#state === 'stable' && this.#leader === member
  }

  #add(id: string, request: JoinRequest, answer: (result: JoinResult) => void): void {
    this.#expected.get(id)?.clear()
    this.#expected.delete(id)
    const member = new ClassicMember(id, request, this.#host.timers, (expired) => this.#sessionOver(expired))
    member.awaitJoin(answer)
    this.#touch(member)
    if (this.#members.size === 0) this.#host.occupancyChanged(this.name, true)
    this.#members.set(id, member)
    if (member.instanceId !== undefined) this.#instances.set(member.instanceId, id)
    this.#leader ??= member
    if (this.#state === 'empty') this.#protocolType = request.protocolType
    this.#cameMeanwhile = true
    this.#rebalanceOrComplete()
  }

  /** A static member is back, with a new id. Its old self is fenced. */
  #replace(member: ClassicMember, id: string, request: JoinRequest, answer: (result: JoinResult) => void): void {
    const oldLeader = this.#leader!.id
    member.answerJoin({ problem: 'fenced-instance', memberId: member.id })
    member.answerSync({ problem: 'fenced-instance' })
    this.#members.delete(member.id)
    if (this.#unsynced.delete(member.id)) this.#unsynced.add(id)
    member.id = id
    this.#members.set(id, member)
    this.#instances.set(member.instanceId!, id)
    member.update(request)
    this.#touch(member)
    if (this.#state === 'stable' && electedProtocol(this.#members.values()) === this.#protocol) {
      const mayLead = request.canSkipAssignment === true
      const isLeader = this.#leader === member
      const joined = this.#joined(member, isLeader && mayLead)
      // One that would assign again if it knew that it leads is told of the leader that was.
      answer(mayLead ? { ...joined, skipAssignment: isLeader } : { ...joined, leader: oldLeader })
      return
    }
    member.awaitJoin(answer)
    this.#rebalanceOrComplete()
  }

  #hasRoomFor(memberId: string): boolean {
    const { membersMax } = this.#host.settings
    if (memberId === '' && this.#expected.size >= membersMax) return false
    if (this.#state === 'empty') return true
    if (this.#state !== 'preparing-rebalance') return this.#members.has(memberId) || this.#members.size < membersMax
    if (this.#members.get(memberId)?.isJoining === true) return true
    let joining = 0
    for (const member of this.#members.values()) if (member.isJoining) joining++
    return joining < membersMax
  }

  #agreesWith({ protocolType, protocols }: JoinRequest): boolean {
    if (this.#members.size === 0) return protocolType !== '' && protocols.length > 0
    if (protocolType !== this.#protocolType) return false
    return protocols.some(({ name }) => isOfferedByAll(name, this.#members.values()))
  }

  // ---- sync, heartbeat, leave -------------------------------------------------------------------------------------------

  sync(request: SyncRequest, answer: (result: SyncResult) => void): void {
    const { memberId, protocolType, protocol } = request
    const problem = this.#problemOf(memberId, request.instanceId, request.generation)
    if (problem !== undefined) return answer({ problem })
    if (differs(protocolType, this.#protocolType) || differs(protocol, this.#protocol)) {
      return answer({ problem: 'inconsistent-protocol' })
    }
    if (this.#state === 'preparing-rebalance') return answer({ problem: 'rebalancing' })
    const member = this.#members.get(memberId)!
    this.#unsynced.delete(memberId)
    if (this.#state === 'stable') {
      this.#touch(member)
      return answer(this.#synced(member))
    }
    member.awaitSync(answer)
    if (member === this.#leader) this.#assign(request)
  }

  #assign({ assignments }: SyncRequest): void {
    for (const { memberId, assignment } of assignments) {
      const member = this.#members.get(memberId)
      if (member !== undefined) member.assignment = assignment.slice()
    }
    this.#state = 'stable'
    for (const member of this.#members.values()) if (member.answerSync(this.#synced(member))) this.#touch(member)
  }

  heartbeat(memberId: string, instanceId: string | undefined, generation: number): GroupProblem | undefined {
    const problem = this.#problemOf(memberId, instanceId, generation)
    if (problem !== undefined) return problem
    this.#touch(this.#members.get(memberId)!)
    return this.#state === 'preparing-rebalance' ? 'rebalancing' : undefined
  }

  leave(leaving: readonly LeavingMember[]): (GroupProblem | undefined)[] {
    const before = this.#members.size
    const problems = leaving.map(({ memberId, instanceId }) => {
      const id = memberId === '' && instanceId !== undefined ? (this.#instances.get(instanceId) ?? '') : memberId
      if (!this.#expected.has(id)) {
        const problem = this.#problemOf(id, memberId === '' ? undefined : instanceId)
        if (problem !== undefined) return problem
      }
      this.#forget(id)
      return undefined
    })
    if (this.#members.size < before) this.#rebalanceOrComplete()
    else this.#maybeComplete()
    return problems
  }

  /** See `ConsumerGroups.checkCommitter`. */
  checkCommitter(by: OffsetCommitter | undefined, isTransactional: boolean): GroupProblem | undefined {
    const { memberId = '', instanceId, generation = -1 } = by ?? {}
    if (generation < 0 && this.#members.size === 0) return undefined
    if (generation < 0 && memberId === '' && instanceId === undefined) return isTransactional ? undefined : 'unknown-member'
    const problem = this.#problemOf(memberId, instanceId, generation)
    if (problem !== undefined) return problem
    if (!isTransactional && this.#state === 'completing-rebalance') return 'rebalancing'
    this.#touch(this.#members.get(memberId)!)
    return undefined
  }

  // ---- rebalance ----------------------------------------------------------------------------------------------------------

  #rebalanceOrComplete(): void {
    if (this.#state === 'preparing-rebalance') this.#maybeComplete()
    else if (this.#members.size > 0 || this.#state !== 'empty') this.#prepare()
  }

  #prepare(): void {
    if (this.#state === 'completing-rebalance') this.#takeBackAssignments()
    this.#unsynced.clear()
    this.#syncAlarm.clear()
    const isFirst = this.#state === 'empty'
    this.#state = 'preparing-rebalance'
    if (isFirst) {
      const { initialRebalanceDelayMs: delayMs } = this.#host.settings
      this.#gatherMsLeft = Math.max(0, this.#rebalanceTimeoutMs() - delayMs)
      this.#cameMeanwhile = false
      this.#joinAlarm.set(this.#in(delayMs))
      return
    }
    this.#joinAlarm.set(this.#in(this.#waitMs()))
    this.#maybeComplete()
  }

  /** The leader has not assigned yet. */
  #takeBackAssignments(): void {
    for (const member of this.#members.values()) {
      member.assignment = new Uint8Array(0)
      if (member.answerSync({ problem: 'rebalancing' })) this.#touch(member)
    }
  }

  #joinTimeOver(): void {
    if (this.#state !== 'preparing-rebalance') return
    if (this.#gatherMsLeft > 0 && this.#cameMeanwhile) {
      const delayMs = Math.min(this.#host.settings.initialRebalanceDelayMs, this.#gatherMsLeft)
      this.#gatherMsLeft -= delayMs
      this.#cameMeanwhile = false
      this.#joinAlarm.set(this.#in(delayMs))
    } else this.#complete()
  }

  #maybeComplete(): void {
    if (this.#state !== 'preparing-rebalance') return
    if (this.#members.size > 0 && (this.#gatherMsLeft >= 0 || this.#expected.size > 0)) return
    for (const member of this.#members.values()) if (!member.isJoining) return
    this.#complete()
  }

  /** Begins the next generation with those who have joined, and static members, who may still come back. */
  #complete(): void {
    this.#joinAlarm.clear()
    for (const member of this.#members.values()) {
      if (!member.isJoining && member.instanceId === undefined) this.#forget(member.id)
    }
    if (this.#members.size > 0 && !this.#electLeader()) {
      this.#joinAlarm.set(this.#in(this.#waitMs()))
      return
    }
    this.#gatherMsLeft = -1
    this.#generation++
    this.#unsynced.clear()
    if (this.#members.size === 0) {
      this.#state = 'empty'
      this.#protocol = ''
      return
    }
    this.#protocol = electedProtocol(this.#members.values())
    this.#state = 'completing-rebalance'
    for (const member of this.#members.values()) {
      member.assignment = new Uint8Array(0)
      member.answerJoin(this.#joined(member, member === this.#leader))
      member.isNew = false
      this.#touch(member)
      this.#unsynced.add(member.id)
    }
    this.#syncAlarm.set(this.#in(this.#waitMs()))
  }

  /** @returns false when nobody has joined who could lead */
  #electLeader(): boolean {
    if (this.#leader?.isJoining === true) return true
    for (const member of this.#members.values()) {
      if (!member.isJoining) continue
      this.#leader = member
      return true
    }
    return false
  }

  /** Whoever joined and then did not ask for an assignment is not there. */
  #syncTimeOver(): void {
    if (this.#unsynced.size === 0) return
    for (const id of this.#unsynced) this.#forget(id)
    this.#prepare()
  }

  // ---- members --------------------------------------------------------------------------------------------------------------

  #sessionOver(member: ClassicMember): void {
    // Who waits for an answer lives.
    if (!member.isNew && (member.isJoining || member.isSyncing)) return
    this.#forget(member.id)
    this.#rebalanceOrComplete()
  }

  #forget(id: string): void {
    this.#expected.get(id)?.clear()
    this.#expected.delete(id)
    this.#unsynced.delete(id)
    const member = this.#members.get(id)
    if (member === undefined) return
    this.#members.delete(id)
    if (member.instanceId !== undefined) this.#instances.delete(member.instanceId)
    member.session.clear()
    member.answerJoin({ problem: 'unknown-member', memberId: '' })
    member.answerSync({ problem: 'unknown-member' })
    if (this.#leader === member) this.#leader = this.#members.values().next().value
    if (this.#members.size === 0) this.#host.occupancyChanged(this.name, false)
  }

  #touch(member: ClassicMember): void {
    member.session.set(this.#in(member.isNew ? FIRST_JOIN_MS_MAX : member.sessionTimeoutMs))
  }

  #problemOf(memberId: string, instanceId: string | undefined, generation: number = this.#generation): GroupProblem | undefined {
    if (instanceId !== undefined) {
      const current = this.#instances.get(instanceId)
      if (current === undefined) return 'unknown-member'
      if (current !== memberId) return 'fenced-instance'
    }
    if (!this.#members.has(memberId)) return 'unknown-member'
    return generation === this.#generation ? undefined : 'illegal-generation'
  }

  #rebalanceTimeoutMs(): number {
    let longest = 0
    for (const { rebalanceTimeoutMs } of this.#members.values()) longest = Math.max(longest, rebalanceTimeoutMs)
    return longest
  }

  /** For members that are there already. */
  #waitMs(): number {
    return Math.max(REBALANCE_WAIT_MS_MIN, this.#rebalanceTimeoutMs())
  }

  #in(ms: number): number {
    return this.#host.monotonicMs() + ms
  }

  // ---- what others are told ---------------------------------------------------------------------------------------------------

  #joined(member: ClassicMember, withMembers: boolean): JoinedGroup {
    return {
      memberId: member.id,
      generation: this.#generation,
      protocolType: this.#protocolType,
      protocol: this.#protocol,
      leader: this.#leader!.id,
      members: withMembers ? [...this.#members.values()].map((each) => each.introduce(this.#protocol)) : [],
      skipAssignment: false,
    }
  }

  #synced(member: ClassicMember): SyncResult {
    return { protocolType: this.#protocolType, protocol: this.#protocol, assignment: member.assignment }
  }

  summary(): GroupSummary {
    return { name: this.name, type: 'classic', state: this.#state, protocolType: this.#protocolType, members: this.#members.size }
  }

  describe(): GroupDescription {
    return {
      ...this.summary(),
      protocol: this.#protocol,
      generation: this.#generation,
      ...(this.#leader === undefined ? {} : { leader: this.#leader.id }),
      members: [...this.#members.values()].map((member) => member.describe(this.#protocol)),
    }
  }

  /** Answers all who wait; nothing follows. */
  dismiss(): void {
    for (const member of this.#members.values()) {
      member.answerJoin({ problem: 'unavailable', memberId: member.id })
      member.answerSync({ problem: 'unavailable' })
    }
  }
}

function differs(said: string | undefined, known: string): boolean {
  return said !== undefined && said !== known
}
