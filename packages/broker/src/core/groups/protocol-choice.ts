/** Which protocol a group uses: one that all members offer, and most of them prefer. */
import type { GroupProtocol } from './consumer-groups.ts'

interface Offering {
  readonly protocols: readonly GroupProtocol[]
}

export function isOfferedByAll(protocol: string, members: Iterable<Offering>): boolean {
  for (const { protocols } of members) if (!protocols.some(({ name }) => name === protocol)) return false
  return true
}

/** Each member votes for the first of its protocols that all offer. Of those with as many votes, the one that was voted for first. */
export function electedProtocol(members: Iterable<Offering>): string {
  const all = [...members]
  const [first] = all
  const common = new Set(first?.protocols.map(({ name }) => name).filter((name) => isOfferedByAll(name, all)))
  const votes = new Map<string, number>()
  for (const { protocols } of all) {
    const choice = protocols.find(({ name }) => common.has(name))
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
  }
  let elected = ''
  for (const [name, count] of votes) if (count > (votes.get(elected) ?? 0)) elected = name
  return elected
}
