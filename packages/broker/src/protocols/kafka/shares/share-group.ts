import type { Platform, Timer } from '../../../ports/platform.ts'
import { errors, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'

/** What a member is told to read. */
export interface ShareAssignment {
  readonly topicId: string
  readonly topicName: string
  readonly partitions: readonly number[]
}

export interface ShareMember {
  readonly memberId: string
  readonly clientId: string
  readonly clientHost: string
  rackId: string | null
  topics: readonly string[]
  epoch: number
  assignment: readonly ShareAssignment[]
}

interface Member extends ShareMember {
  previousEpoch: number
  /** Its assignment as text, to see whether it is another. */
  told: string
  seenMs: number
  timer: Timer
}

export interface ShareHeartbeat {
  readonly memberId: string
  readonly memberEpoch: number
  readonly rackId: string | null
  /** null: as before. */
  readonly topics: readonly string[] | null
  readonly clientId: string
  readonly clientHost: string
}

export const shareTimes = { heartbeatMs: 5000, sessionMs: 45_000 } as const

const LEAVE_EPOCH = -1
const JOIN_EPOCH = 0

/**
 * Who is in a share group. All members may read all partitions of the topics that they name: who gets what is the subscription's business, so
 * membership is for those who ask who is there.
 */
export class ShareGroup {
  readonly members: Map<string, Member> = new Map()
  epoch = 0
  readonly #platform: Platform
  readonly #emptied: () => void

  /** @param emptied the last member is gone */
  constructor(platform: Platform, emptied: () => void) {
    this.#platform = platform
    this.#emptied = emptied
  }

  /**
   * @param assign partitions of the topics
   * @returns the member, and whether it is to be told its assignment; undefined when it left
   * @throws KafkaError
   */
  heartbeat(
    beat: ShareHeartbeat,
    assign: (topics: readonly string[]) => readonly ShareAssignment[],
  ): { readonly member: ShareMember; readonly isTold: boolean } | undefined {
    const known = this.members.get(beat.memberId)
    if (beat.memberEpoch === LEAVE_EPOCH) {
      if (known === undefined) throw new KafkaError(errors.UNKNOWN_MEMBER_ID, `${beat.memberId} is no member`)
      this.#remove(known)
      return undefined
    }
    if (beat.memberEpoch !== JOIN_EPOCH) checkMember(known, beat)
    const topics = beat.topics ?? known?.topics ?? []
    const assignment = assign(topics)
    const member = known ?? this.#join(beat)
    member.seenMs = this.#platform.clock.monotonicMs()
    member.rackId = beat.rackId ?? member.rackId
    member.topics = topics
    member.assignment = assignment
    const told = assignment.map(({ topicId, partitions }) => `${topicId}/${partitions.length}`).join()
    const isNew = told !== member.told
    if (isNew || known === undefined) this.epoch++
    if (member.epoch !== this.epoch) member.previousEpoch = member.epoch
    member.epoch = this.epoch
    member.told = told
    return { member, isTold: isNew || beat.memberEpoch === JOIN_EPOCH || beat.topics !== null }
  }

  #join({ memberId, clientId, clientHost, rackId }: ShareHeartbeat): Member {
    if (this.members.size >= limits.shareMembersMax) {
      throw new KafkaError(errors.GROUP_MAX_SIZE_REACHED, `a share group has at most ${limits.shareMembersMax} members`)
    }
    const member: Member = {
      memberId,
      clientId,
      clientHost,
      rackId,
      topics: [],
      epoch: 0,
      assignment: [],
      previousEpoch: 0,
      told: '',
      seenMs: 0,
      timer: this.#watch(shareTimes.sessionMs, () => member),
    }
    this.members.set(memberId, member)
    return member
  }

  /** Removes it when nothing was heard of it for a session. */
  #watch(delayMs: number, memberOf: () => Member): Timer {
    return this.#platform.scheduler.after(delayMs, () => {
      const member = memberOf()
      const leftMs = member.seenMs + shareTimes.sessionMs - this.#platform.clock.monotonicMs()
      if (leftMs > 0) member.timer = this.#watch(leftMs, memberOf)
      else this.#remove(member)
    })
  }

  #remove(member: Member): void {
    member.timer.cancel()
    this.members.delete(member.memberId)
    this.epoch++
    if (this.members.size === 0) this.#emptied()
  }
}

/** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH */
function checkMember(member: Member | undefined, { memberId, memberEpoch }: ShareHeartbeat): asserts member is Member {
  if (member === undefined) throw new KafkaError(errors.UNKNOWN_MEMBER_ID, `${memberId} is no member: it has to join`)
  if (memberEpoch === member.epoch || memberEpoch === member.previousEpoch) return
  throw new KafkaError(errors.FENCED_MEMBER_EPOCH, `the epoch of ${memberId} is ${member.epoch}, not ${memberEpoch}`)
}
