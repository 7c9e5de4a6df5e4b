// hot path (packages/broker/test/amqp/throughput.mjs)

const CAPACITY_MIN = 16
const SHRINK_ABOVE = 65_536

/** One delivery. */
export interface HeldDelivery<H> {
  readonly tag: number
  readonly holder: H
  readonly partition: number
  readonly offset: number
  readonly seconds: number
}

/**
 * Deliveries of one channel that were not settled, in the order of their tags: columns without an object for each. What is settled leaves a gap,
 * and gaps are closed when room is needed, so that the memory follows what is not settled. `H` is who delivered.
 */
export class Unacked<H extends object> {
  #tags = new Float64Array(CAPACITY_MIN)
  #holders: (H | undefined)[] = Array.from({ length: CAPACITY_MIN })
  #partitions = new Uint32Array(CAPACITY_MIN)
  #offsets = new Float64Array(CAPACITY_MIN)
  #seconds = new Uint32Array(CAPACITY_MIN)
  /** Place of the oldest that is not settled, if there is one. Places are good until the next `add`. */
  first = 0
  /** The place after the newest. */
  end = 0
  /** How many are not settled. */
  count = 0

  /** @param tag more than those before @param seconds when, on any clock */
  add(tag: number, holder: H, partition: number, offset: number, seconds: number): void {
    if (this.count === 0) this.#restart()
    else if (this.end === this.#tags.length) this.#makeRoom()
    const at = this.end++
    this.#tags[at] = tag
    this.#holders[at] = holder
    this.#partitions[at] = partition
    this.#offsets[at] = offset
    this.#seconds[at] = seconds
    this.count++
  }

  /** @returns its place, or -1 when it was settled or never given */
  find(tag: number): number {
    if (this.count === 0) return -1
    // Where it is when there is no gap in the tags.
    const guess = this.first + tag - this.#tags[this.first]!
    if (guess < this.first) return -1
    if (guess < this.end && this.#tags[guess] === tag) return this.#holders[guess] === undefined ? -1 : guess
    let low = this.first
    let high = Math.min(guess, this.end)
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#tags[middle]! < tag) low = middle + 1
      else high = middle
    }
    return low < this.end && this.#tags[low] === tag && this.#holders[low] !== undefined ? low : -1
  }

  tag(place: number): number {
    return this.#tags[place]!
  }

  /** Undefined at a gap. */
  holder(place: number): H | undefined {
    return this.#holders[place]
  }

  partition(place: number): number {
    return this.#partitions[place]!
  }

  offset(place: number): number {
    return this.#offsets[place]!
  }

  seconds(place: number): number {
    return this.#seconds[place]!
  }

  /** It is settled. Of a place with a holder only. */
  remove(place: number): void {
    this.#holders[place] = undefined
    this.count--
    if (place !== this.first) return
    let first = place + 1
    while (first < this.end && this.#holders[first] === undefined) first++
    this.first = first
  }

  /** Of a place with a holder. */
  held(place: number): HeldDelivery<H> {
    return {
      tag: this.tag(place),
      holder: this.#holders[place]!,
      partition: this.partition(place),
      offset: this.offset(place),
      seconds: this.seconds(place),
    }
  }

  /** Takes back what was removed: it is not settled after all. */
  restore(removed: readonly HeldDelivery<H>[]): void {
    const all = [...removed]
    for (let place = this.first; this.count > 0 && place < this.end; place++) {
      if (this.#holders[place] !== undefined) all.push(this.held(place))
    }
    all.sort((a, b) => a.tag - b.tag)
    this.count = 0
    this.#holders.fill(undefined)
    for (const { tag, holder, partition, offset, seconds } of all) this.add(tag, holder, partition, offset, seconds)
  }

  #restart(): void {
    this.first = this.end = 0
    // A burst must not leave its memory with an idle channel.
    if (this.#tags.length > SHRINK_ABOVE) this.#move(CAPACITY_MIN)
  }

  #makeRoom(): void {
    this.#move(this.count * 2 > this.#tags.length ? this.#tags.length * 2 : this.#tags.length)
  }

  #move(capacity: number): void {
    const tags = new Float64Array(capacity)
    const holders = Array.from<H | undefined>({ length: capacity })
    const partitions = new Uint32Array(capacity)
    const offsets = new Float64Array(capacity)
    const seconds = new Uint32Array(capacity)
    let to = 0
    for (let from = this.first; from < this.end; from++) {
      const holder = this.#holders[from]
      if (holder === undefined) continue
      tags[to] = this.#tags[from]!
      holders[to] = holder
      partitions[to] = this.#partitions[from]!
      offsets[to] = this.#offsets[from]!
      seconds[to] = this.#seconds[from]!
      to++
    }
    this.#tags = tags
    this.#holders = holders
    this.#partitions = partitions
    this.#offsets = offsets
    this.#seconds = seconds
    this.first = 0
    this.end = to
  }
}
