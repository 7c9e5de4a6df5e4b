/** What stays in memory of a sealed index run. `weight` is what its batches weigh where shared ones count by share. */
export interface RunDescriptor {
  readonly first: number
  readonly end: number
  readonly seq: number
  readonly position: number
  readonly length: number
  readonly bytes: number
  readonly weight: number
  readonly maxTimestampMs: number
  /** Lowest sequence that its entries point at. */
  readonly seqMin: number
}

const WIDE = 7
const NARROW = 2

/** The sealed runs of one log, in offset order, as numbers in two arrays: 64 bytes for a run of 128 entries. */
export class RunList {
  /** first, end, seq, seqMin, bytes, weight, maxTimestampMs */
  #wide = new Float64Array(2 * WIDE)
  /** position, length */
  #narrow = new Uint32Array(2 * NARROW)
  #from = 0
  #to = 0

  get count(): number {
    return this.#to - this.#from
  }

  get memoryBytes(): number {
    return this.#wide.byteLength + this.#narrow.byteLength + 300
  }

  first(n: number): number {
    return this.#wide[(this.#from + n) * WIDE]!
  }

  end(n: number): number {
    return this.#wide[(this.#from + n) * WIDE + 1]!
  }

  maxTimestampMs(n: number): number {
    return this.#wide[(this.#from + n) * WIDE + 6]!
  }

  at(n: number): RunDescriptor {
    const wide = (this.#from + n) * WIDE
    const narrow = (this.#from + n) * NARROW
    return {
      first: this.#wide[wide]!,
      end: this.#wide[wide + 1]!,
      seq: this.#wide[wide + 2]!,
      seqMin: this.#wide[wide + 3]!,
      bytes: this.#wide[wide + 4]!,
      weight: this.#wide[wide + 5]!,
      maxTimestampMs: this.#wide[wide + 6]!,
      position: this.#narrow[narrow]!,
      length: this.#narrow[narrow + 1]!,
    }
  }

  /** Index of the first run whose end is > `offset`; `count` if there is none. */
  find(offset: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.end(middle) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** How many runs have offsets of [first, end) in their range: those from `find(first)` on. */
  overlapping(first: number, end: number): number {
    const from = this.find(first)
    let to = from
    while (to < this.count && this.first(to) < end) to++
    return to - from
  }

  /** Puts the run where its offsets belong; takes the place of the one with the same first offset. */
  put(run: RunDescriptor): void {
    const n = this.find(run.first)
    if (n === this.count || this.first(n) !== run.first) this.#open(n)
    const wide = (this.#from + n) * WIDE
    this.#wide[wide] = run.first
    this.#wide[wide + 1] = run.end
    this.#wide[wide + 2] = run.seq
    this.#wide[wide + 3] = run.seqMin
    this.#wide[wide + 4] = run.bytes
    this.#wide[wide + 5] = run.weight
    this.#wide[wide + 6] = run.maxTimestampMs
    const narrow = (this.#from + n) * NARROW
    this.#narrow[narrow] = run.position
    this.#narrow[narrow + 1] = run.length
  }

  remove(n: number): void {
    if (n === 0) {
      this.#from++
      return
    }
    const at = this.#from + n
    this.#wide.copyWithin(at * WIDE, (at + 1) * WIDE, this.#to * WIDE)
    this.#narrow.copyWithin(at * NARROW, (at + 1) * NARROW, this.#to * NARROW)
    this.#to--
  }

  #open(n: number): void {
    if ((this.#to + 1) * WIDE > this.#wide.length) this.#resize()
    const at = this.#from + n
    this.#wide.copyWithin((at + 1) * WIDE, at * WIDE, this.#to * WIDE)
    this.#narrow.copyWithin((at + 1) * NARROW, at * NARROW, this.#to * NARROW)
    this.#to++
  }

  #resize(): void {
    const capacity = Math.max(2, Math.ceil(this.count * 1.25) + 1)
    const wide = new Float64Array(capacity * WIDE)
    const narrow = new Uint32Array(capacity * NARROW)
    wide.set(this.#wide.subarray(this.#from * WIDE, this.#to * WIDE))
    narrow.set(this.#narrow.subarray(this.#from * NARROW, this.#to * NARROW))
    this.#wide = wide
    this.#narrow = narrow
    this.#to -= this.#from
    this.#from = 0
  }
}
