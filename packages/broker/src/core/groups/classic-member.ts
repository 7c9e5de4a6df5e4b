import type { Timers } from '../timers.ts'
import { Alarm } from './alarm.ts'
import type { GroupProtocol, JoinedMember, JoinRequest, JoinResult, MemberDescription, SyncResult } from './consumer-groups.ts'

const NOTHING: Uint8Array = new Uint8Array(0)

/** One member of a group, and whom of it somebody waits for an answer. */
export class ClassicMember {
  /** A static member gets another one when it comes back. */
  id: string
  readonly instanceId: string | undefined
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly GroupProtocol[]
  assignment: Uint8Array = NOTHING
  /** It was in no generation yet. */
  isNew = true
  /** Its session ends. */
  readonly session: Alarm
  #joining: ((result: JoinResult) => void) | undefined
  #syncing: ((result: SyncResult) => void) | undefined

  constructor(id: string, request: JoinRequest, timers: Timers, expired: (member: ClassicMember) => void) {
    this.id = id
    this.instanceId = request.instanceId
    this.clientId = request.clientId
    this.clientHost = request.clientHost
    this.sessionTimeoutMs = request.sessionTimeoutMs
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    this.protocols = copied(request.protocols)
    this.session = new Alarm(timers, () => expired(this))
  }

  update(request: JoinRequest): void {
    this.clientId = request.clientId
    this.clientHost = request.clientHost
    this.sessionTimeoutMs = request.sessionTimeoutMs
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    this.protocols = copied(request.protocols)
  }

  get isJoining(): boolean {
    return this.#joining !== undefined
  }

  get isSyncing(): boolean {
    return this.#syncing !== undefined
  }

  /** An earlier call that still waits is answered as one that was overtaken. */
  awaitJoin(answer: (result: JoinResult) => void): void {
    this.answerJoin({ problem: 'rebalancing', memberId: this.id })
    this.#joining = answer
  }

  awaitSync(answer: (result: SyncResult) => void): void {
    this.answerSync({ problem: 'rebalancing' })
    this.#syncing = answer
  }

  answerJoin(result: JoinResult): void {
    const answer = this.#joining
    this.#joining = undefined
    answer?.(result)
  }

  /** @returns whether somebody waited */
  answerSync(result: SyncResult): boolean {
    const answer = this.#syncing
    this.#syncing = undefined
    answer?.(result)
    return answer !== undefined
  }

  /** Whether it offers the same as before. */
  matches(protocols: readonly GroupProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false
    return protocols.every(({ name, metadata }, n) => {
      const known = this.protocols[n]!
      return known.name === name && sameBytes(known.metadata, metadata)
    })
  }

  /** As the leader gets to know it. */
  introduce(protocol: string): JoinedMember {
    const { id, instanceId } = this
    const metadata = this.protocols.find(({ name }) => name === protocol)?.metadata ?? NOTHING
    return { memberId: id, ...(instanceId === undefined ? {} : { instanceId }), metadata }
  }

  describe(protocol: string): MemberDescription {
    const { clientId, clientHost, assignment } = this
    const { metadata, ...names } = this.introduce(protocol)
    return { ...names, clientId, clientHost, classic: { metadata, assignment } }
  }
}

function copied(protocols: readonly GroupProtocol[]): readonly GroupProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: metadata.slice() }))
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, n) => byte === b[n])
}
