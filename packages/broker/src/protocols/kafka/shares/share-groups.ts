import type { Broker } from '../../../core/broker.ts'
import { errors, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Client } from '../served-api.ts'
import { ShareGroup } from './share-group.ts'
import { ShareSession } from './share-session.ts'

/** Members and sessions of the share groups of one broker. Both are gone after a restart, and clients begin again. */
export class ShareGroups {
  readonly #groups = new Map<string, ShareGroup>()
  readonly #sessions = new Map<string, ShareSession>()

  /** Undefined while it has no members. */
  group(name: string): ShareGroup | undefined {
    return this.#groups.get(name)
  }

  /** Those with members. */
  names(): Iterable<string> {
    return this.#groups.keys()
  }

  groupOrNew({ context }: Client, name: string): ShareGroup {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new ShareGroup(context.platform, () => this.#groups.delete(name))
      this.#groups.set(name, group)
    }
    return group
  }

  /** Forgets a group that nobody came to join. */
  tidy(name: string): void {
    if (this.#groups.get(name)?.members.size === 0) this.#groups.delete(name)
  }

  /** Begins one, in place of the one that its member had. @throws KafkaError SHARE_SESSION_LIMIT_REACHED */
  openSession(client: Client, group: string, memberId: string): ShareSession {
    const key = keyOf(group, memberId)
    this.#sessions.get(key)?.close()
    if (this.#sessions.size >= limits.shareSessionsMax) {
      throw new KafkaError(errors.SHARE_SESSION_LIMIT_REACHED, `there are ${limits.shareSessionsMax} share sessions`)
    }
    const session = new ShareSession(client, group, memberId, () => this.#sessions.delete(key))
    this.#sessions.set(key, session)
    return session
  }

  /** @throws KafkaError SHARE_SESSION_NOT_FOUND */
  session(group: string, memberId: string): ShareSession {
    const session = this.#sessions.get(keyOf(group, memberId))
    if (session !== undefined) return session
    throw new KafkaError(errors.SHARE_SESSION_NOT_FOUND, `${memberId} has no share session in ${group}`)
  }
}

const byBroker = new WeakMap<Broker, ShareGroups>()

/** Those of the broker: connections share them. */
export function shareGroupsOf({ broker }: Client): ShareGroups {
  let groups = byBroker.get(broker)
  if (groups === undefined) byBroker.set(broker, (groups = new ShareGroups()))
  return groups
}

function keyOf(group: string, memberId: string): string {
  return `${group}\n${memberId}`
}
