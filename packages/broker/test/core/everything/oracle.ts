/**
 * Knows of each copy of a message where it must be, or may be: what its clients were told, and what the rules let happen by itself. A
 * place is the address of a queue, of a subscription, of the topic, `later:ID`, `nowhere` before it was published, `gone`, or
 * `dying:ADDRESS` for what is certain to leave by death.
 */
import { TOPIC, type Source, type World } from './world.ts'

/** Of one commit that may still be lost. */
export interface Change {
  readonly place: string
  readonly ticket: number
}

export interface Copy {
  readonly value: string
  readonly number: number
  /** Its own time to live, as far as it has one. */
  readonly expiresMs: number
  /** Where it certainly was, and what became of it since; the last is what the broker says now. */
  changes: Change[]
  /** Where it died last, as its headers tell. */
  source: string | undefined
  /** It came there at this time, or later. */
  sinceMs: number
  /** It had its last attempt. */
  mayDie: boolean
  /** After a crash: it may be settled. */
  isUnsure: boolean
  /** The copy in the topic, of one in a subscription. */
  readonly parent: Copy | undefined
}

/** Where a message was found. */
export interface Found {
  readonly place: string
  /** Where it died last, as its headers tell: copies of one message are told apart by it. */
  readonly source: string | undefined
}

/** A redrive that runs, or ran since the last look. */
export interface RedriveEdge {
  readonly from: string
  /** Undefined: wherever its messages died. */
  readonly to: string | undefined
  readonly modulus: number
}

export class Oracle {
  copies: Copy[] = []
  redrives: RedriveEdge[] = []
  readonly purged = new Set<string>()
  /** Due time and destination of scheduled messages. */
  readonly later = new Map<string, { readonly dueMs: number; readonly to: string }>()
  readonly #world: World
  readonly #nowMs: () => number
  /** All moves that nobody was told of happened after this. */
  #lookedMs: number

  constructor(world: World, nowMs: () => number) {
    this.#world = world
    this.#nowMs = nowMs
    this.#lookedMs = nowMs()
  }

  // ---- what clients did -----------------------------------------------------------------------------------------------

  published(value: string, number: number, place: string, ticket: number, expiresMs = Infinity): Copy {
    const changes = [
      { place: 'nowhere', ticket: -1 },
      { place, ticket },
    ]
    const sinceMs = this.#nowMs()
    const copy = {
      value,
      number,
      expiresMs,
      changes,
      source: undefined,
      sinceMs,
      mayDie: false,
      isUnsure: false,
      parent: undefined,
    }
    this.copies.push(copy)
    if (place === TOPIC) this.#spread(copy)
    return copy
  }

  /** The copy that a consumer got. @throws Error when it cannot be there */
  delivered(value: string, place: string, source?: string): Copy {
    const copies = this.copies.filter((each) => each.value === value)
    const there = copies.filter((each) => placeOf(each) === place)
    const same = there.filter((each) => each.source === source)
    const known = same.find((each) => !each.isUnsure) ?? same[0]
    if (known !== undefined) {
      known.isUnsure = false
      return known
    }
    const candidates = copies.filter((each) => this.#mayHaveMoved(each, { place, source }))
    // Copies of one message that met in a queue may have been taken for each other.
    const moved = candidates.find((each) => placeOf(each) === source) ?? candidates[0] ?? there[0]
    if (moved === undefined) {
      // By way of the topic, where it got copies.
      const spread = copies.find((each) => placeOf(each) !== TOPIC && this.#reach(placeOf(each), each).has(TOPIC))
      if (spread === undefined)
        throw new Error(`${value} cannot be in ${place}: ${copies.map(textOf).join(', ') || 'it is over'}`)
      this.#move(spread, TOPIC, this.#wayToTopic(spread))
      return this.delivered(value, place, source)
    }
    this.#move(moved, place, source)
    return moved
  }

  changed(copy: Copy, place: string, ticket: number): void {
    copy.changes.push({ place, ticket })
  }

  // ---- what is there --------------------------------------------------------------------------------------------------

  /**
   * Compares with all that can be seen: value to the places where it is, each as often as it is there. Everything that was
   * done is committed, or lost if its ticket is above `committed`.
   */
  compare(seen: ReadonlyMap<string, readonly Found[]>, committed = Infinity): void {
    const byValue = new Map<string, Copy[]>()
    for (const copy of this.copies) {
      const others = byValue.get(copy.value)
      if (others === undefined) byValue.set(copy.value, [copy])
      else others.push(copy)
    }
    const left: Copy[] = []
    for (const value of new Set([...byValue.keys(), ...seen.keys()])) {
      const places = seen.get(value) ?? []
      this.#arriveInTopic(byValue.get(value) ?? [], places, committed)
      const copies = this.copies.filter((copy) => copy.value === value)
      const taken = this.#assign(copies, places, committed)
      if (taken === undefined)
        throw new Error(
          `${value} is in [${places.map(({ place }) => place).join(', ')}], and must be: ${copies.map(textOf).join(', ') || 'nowhere'}`,
        )
      const lost = new Set<Copy>()
      copies.forEach((copy, n) => {
        const { place } = taken[n]!
        if (place === 'nowhere') lost.add(copy)
        if (place === 'nowhere' || place === 'gone' || (copy.parent !== undefined && lost.has(copy.parent))) return
        const found = isVisible(place) ? taken[n] : undefined
        const isNew = copy.changes.every((change) => change.place !== place)
        if (isNew) this.#move(copy, place, found?.source)
        else if (found !== undefined) copy.source = found.source
        copy.changes = [{ place, ticket: -1 }]
        left.push(copy)
      })
    }
    this.copies = left
    this.#blur()
    this.purged.clear()
    this.#lookedMs = this.#nowMs()
  }

  /** Copies that consumers must get. */
  certainIn(address: string): Copy[] {
    return this.copies.filter(
      (copy) => placeOf(copy) === address && !copy.isUnsure && this.#deathsIn(copy, this.#world.source(address)).length === 0,
    )
  }

  /** Where the rules may have put it, from `source` on. */
  #deathsIn(copy: Copy, { address, policy, limits }: Source): string[] {
    const isHere = placeOf(copy) === address
    const sinceMs = isHere ? copy.sinceMs : this.#lookedMs
    const expiresMs = Math.min(sinceMs + (policy.ttlMs ?? Infinity), copy.expiresMs)
    const ways: string[] = []
    if (copy.mayDie || expiresMs <= this.#nowMs() || limits?.overflow === 'dead-letter') ways.push(policy.deadLetter ?? 'gone')
    if (limits?.overflow === 'drop-head') ways.push('gone')
    return ways
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  /** Copies of one message in one place cannot be told apart: what may be true of one may be true of the others. */
  #blur(): void {
    const met = new Map<string, Copy[]>()
    for (const copy of this.copies) {
      const name = `${copy.value} ${placeOf(copy)}`
      const others = met.get(name)
      if (others === undefined) met.set(name, [copy])
      else others.push(copy)
    }
    for (const copies of met.values()) {
      if (copies.length === 1) continue
      const sinceMs = Math.min(...copies.map((copy) => copy.sinceMs))
      const mayDie = copies.some((copy) => copy.mayDie)
      const isUnsure = copies.some((copy) => copy.isUnsure)
      for (const copy of copies) Object.assign(copy, { sinceMs, mayDie, isUnsure })
    }
  }

  /** What came into the topic by itself has copies in its subscriptions, which may be elsewhere by now. */
  #arriveInTopic(copies: readonly Copy[], places: readonly Found[], committed: number): void {
    const isThere = (copy: Copy): boolean => placeOf(copy) === TOPIC
    let missing = places.filter(({ place }) => place === TOPIC).length - copies.filter(isThere).length
    const isNear = (copy: Copy): boolean => placeOf(copy) === 'queue:w0' || this.later.get(placeOf(copy))?.to === TOPIC
    for (const copy of copies.toSorted((a, b) => Number(isNear(b)) - Number(isNear(a)))) {
      if (missing <= 0) return
      if (isThere(copy) || !this.#options(copy, committed).includes(TOPIC)) continue
      this.#move(copy, TOPIC, this.#wayToTopic(copy))
      missing--
    }
  }

  /** A place for each copy, so that all places are taken; undefined when there is no way. */
  #assign(copies: readonly Copy[], places: readonly Found[], committed: number): Found[] | undefined {
    const options = copies.map((copy) => this.#options(copy, committed))
    const chosen: Found[] = []
    const tryFrom = (n: number, left: readonly Found[]): boolean => {
      if (n === copies.length) return left.length === 0
      const here = placeOf(copies[n]!)
      // What may be gone from a subscription is watched on, for it may come again.
      const rank = (place: string): number => (place.startsWith(`${TOPIC}/`) ? 0 : place === here ? 1 : 2)
      for (const place of options[n]!.toSorted((a, b) => rank(a) - rank(b))) {
        if (!isVisible(place)) {
          chosen[n] = { place, source: undefined }
          if (tryFrom(n + 1, left)) return true
          continue
        }
        for (let at = 0; at < left.length; at++) {
          const found = left[at]!
          if (found.place !== place || !this.#mayHaveCome(found, copies[n]!, committed)) continue
          chosen[n] = found
          if (tryFrom(n + 1, left.toSpliced(at, 1))) return true
        }
      }
      return false
    }
    return tryFrom(0, places) ? chosen : undefined
  }

  #mayHaveMoved(copy: Copy, found: Found): boolean {
    return this.#reach(placeOf(copy), copy).has(found.place) && this.#cameBy(found, placeOf(copy), copy)
  }

  /** Whether it was there before, or may have come from where the headers say. */
  #mayHaveCome(found: Found, copy: Copy, committed: number): boolean {
    const from = copy.changes.slice(this.#certain(copy, committed)).map(({ place }) => place)
    if (from.includes(found.place) && copy.source === found.source) return true
    return from.some((place) => this.#cameBy(found, place, copy))
  }

  #cameBy({ place, source }: Found, from: string, copy: Copy): boolean {
    if (source !== undefined) return from === `dying:${source}` || this.#reach(from, copy).has(source)
    // What died tells of it, unless it was redriven.
    return from.startsWith('later:') || from === 'nowhere' || this.redrives.some(({ to }) => to === undefined || to === place)
  }

  /** The last of its changes that cannot be lost. */
  #certain({ changes }: Copy, committed: number): number {
    return Math.max(
      0,
      changes.findLastIndex(({ ticket }) => ticket <= committed),
    )
  }

  #options(copy: Copy, committed: number): string[] {
    const { changes } = copy
    const from = changes.slice(this.#certain(copy, committed)).map(({ place }) => place)
    if (copy.parent !== undefined && from.length > 1) copy.isUnsure = true
    const all = new Set<string>()
    for (const place of from) for (const reached of this.#reach(place, copy)) all.add(reached)
    // A copy in a subscription cannot be seen, and one of a publish that is lost is not there.
    if (copy.parent !== undefined && copy.parent.changes.some(({ ticket }) => ticket > committed)) all.add('nowhere')
    return [...all]
  }

  /** Where it can be by now, by itself, from `place` on. */
  #reach(place: string, copy: Copy): Set<string> {
    const reached = new Set<string>()
    const open = [place]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (reached.has(at)) continue
      if (!at.startsWith('dying:')) reached.add(at)
      open.push(...this.#waysFrom(at, copy))
    }
    return reached
  }

  #waysFrom(place: string, copy: Copy): string[] {
    if (place.startsWith('dying:')) return [this.#world.source(place.slice('dying:'.length)).policy.deadLetter ?? 'gone']
    const later = this.later.get(place)
    if (later !== undefined) return later.dueMs <= this.#nowMs() ? [later.to] : []
    const source = this.#world.source(place)
    if (source === undefined) return []
    const ways = this.#deathsIn(copy, source)
    if (this.purged.has(place)) ways.push('gone')
    for (const { from, to, modulus } of this.redrives) {
      if (from !== place || copy.number % modulus !== 0) continue
      ways.push(...(to === undefined ? this.#world.busyQueues.map(({ address }) => address) : [to]))
    }
    return ways
  }

  #move(copy: Copy, place: string, source: string | undefined): void {
    copy.source = source
    copy.changes = [{ place, ticket: -1 }]
    copy.sinceMs = this.#lookedMs
    copy.mayDie = false
    copy.isUnsure = false
    if (place === TOPIC) this.#spread(copy)
  }

  /** Only the dead letters of one queue go to the topic. */
  #wayToTopic(copy: Copy): string | undefined {
    return this.later.get(placeOf(copy))?.to === TOPIC ? undefined : 'queue:w0'
  }

  #spread(parent: Copy): void {
    for (const { address, modulus } of this.#world.subscriptions) {
      if (parent.number % modulus !== 0) continue
      const { value, number, expiresMs, sinceMs } = parent
      const { ticket } = parent.changes.at(-1)!
      const changes = [{ place: address, ticket }]
      this.copies.push({
        value,
        number,
        expiresMs,
        changes,
        source: parent.source,
        sinceMs,
        mayDie: false,
        isUnsure: false,
        parent,
      })
    }
  }
}

export function placeOf(copy: Copy): string {
  return copy.changes.at(-1)!.place
}

/** Whether a copy there can be found by looking. */
function isVisible(place: string): boolean {
  return place.startsWith('queue:') || place === TOPIC || place.startsWith('later:')
}

function textOf(copy: Copy): string {
  const path = copy.changes.map(({ place, ticket }) => (ticket < 0 ? place : `${place}@${ticket}`)).join('>')
  return path + (copy.mayDie ? ' may die' : '') + (copy.isUnsure ? ' unsure' : '')
}

/** A publish of which the crash left nothing. */
export function isLost(copy: Copy, seen: ReadonlyMap<string, readonly Found[]>, committed: number): boolean {
  const [nowhere, first] = copy.changes
  return nowhere?.place === 'nowhere' && first !== undefined && first.ticket > committed && !seen.has(copy.value)
}
