import type { AssignedMember, PartitionCounts } from './assignor.ts'
import { type Place, placeOf, topicOf } from './place.ts'

/** As many partitions for each as possible, while each keeps as much as possible of what it has. */
export function assignUniform(members: readonly AssignedMember[], partitions: PartitionCounts): Map<string, Set<Place>> {
  const shares = members.map((member) => new Share(member))
  const free = keepCurrent(shares, partitions)
  if (shares.every(({ topics }) => topics.size === partitions.size)) shareEvenly(shares, free)
  else shareByTopics(shares, free)
  return new Map(shares.map(({ id, places }) => [id, places]))
}

class Share {
  readonly id: string
  readonly topics: ReadonlySet<number>
  readonly current: ReadonlySet<Place>
  readonly places = new Set<Place>()

  constructor({ id, topics, target }: AssignedMember) {
    this.id = id
    this.topics = topics
    this.current = target
  }

  get size(): number {
    return this.places.size
  }

  /** Gives away the place that came last. */
  giveUp(): Place {
    const place = [...this.places].at(-1)!
    this.places.delete(place)
    return place
  }
}

/** @returns the places that nobody has */
function keepCurrent(shares: readonly Share[], partitions: PartitionCounts): Place[] {
  const free = new Set<Place>()
  for (const [topic, count] of partitions) for (let n = 0; n < count; n++) free.add(placeOf(topic, n))
  for (const { topics, current, places } of shares) {
    for (const place of current) if (topics.has(topicOf(place)) && free.delete(place)) places.add(place)
  }
  return [...free]
}

/** All may have all. */
function shareEvenly(shares: readonly Share[], free: Place[]): void {
  const total = shares.reduce((sum, { size }) => sum + size, free.length)
  const least = Math.floor(total / shares.length)
  // Those who have most may keep one more, as many as there are.
  const ordered = shares.toSorted((a, b) => b.size - a.size)
  let larger = total % shares.length
  const quotas = ordered.map(() => (larger-- > 0 ? least + 1 : least))
  ordered.forEach((share, n) => {
    while (share.size > quotas[n]!) free.push(share.giveUp())
  })
  let next = 0
  ordered.forEach(({ places }, n) => {
    while (places.size < quotas[n]!) places.add(free[next++]!)
  })
}

/** To those who have least, and then from those who have too much to those who have less. */
function shareByTopics(shares: readonly Share[], free: readonly Place[]): void {
  const readers = new Map<number, Share[]>()
  for (const share of shares) {
    for (const topic of share.topics) {
      const known = readers.get(topic)
      if (known === undefined) readers.set(topic, [share])
      else known.push(share)
    }
  }
  for (const place of free) smallest(readers.get(topicOf(place))!).places.add(place)
  for (let isMoving = true; isMoving;) {
    isMoving = false
    for (const share of shares) {
      for (const place of share.places) {
        const other = smallest(readers.get(topicOf(place))!)
        if (share.size - other.size < 2) continue
        share.places.delete(place)
        other.places.add(place)
        isMoving = true
      }
    }
  }
}

function smallest(shares: readonly Share[]): Share {
  let found = shares[0]!
  for (const share of shares) if (share.size < found.size) found = share
  return found
}
