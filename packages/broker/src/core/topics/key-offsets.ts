/**
 * The latest offset of each key, in bounded memory: a hash table with open addressing over one arena of key bytes. Keys are
 * compared byte by byte, so two keys are never taken for one.
 */
import { murmur2 } from '@millrace/wire'

const FREE = -1
/** At most so many slots in 8 are taken. */
const LOAD_EIGHTHS = 6

export class KeyOffsets {
  readonly #keysMax: number
  readonly #arena: Uint8Array
  readonly #mask: number
  /** Where the key of a slot lies in the arena, or FREE. */
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  readonly #hashes: Int32Array
  readonly #offsets: Float64Array
  #arenaEnd = 0
  #keys = 0

  constructor(keysMax: number, keyBytesMax: number) {
    let slots = 16
    while ((slots / 8) * LOAD_EIGHTHS < keysMax) slots *= 2
    this.#keysMax = keysMax
    this.#arena = new Uint8Array(keyBytesMax)
    this.#mask = slots - 1
    this.#starts = new Int32Array(slots).fill(FREE)
    this.#lengths = new Int32Array(slots)
    this.#hashes = new Int32Array(slots)
    this.#offsets = new Float64Array(slots)
  }

  get keys(): number {
    return this.#keys
  }

  /** Notes that `key` occurs at `offset`, which is later than any before. @returns false when there is no room for a new key */
  set(key: Uint8Array, offset: number): boolean {
    const hash = murmur2(key)
    const slot = this.#slot(key, hash)
    if (this.#starts[slot] === FREE) {
      if (this.#keys === this.#keysMax || this.#arenaEnd + key.length > this.#arena.length) return false
      this.#arena.set(key, this.#arenaEnd)
      this.#starts[slot] = this.#arenaEnd
      this.#lengths[slot] = key.length
      this.#hashes[slot] = hash
      this.#arenaEnd += key.length
      this.#keys++
    }
    this.#offsets[slot] = offset
    return true
  }

  /** The offset of the last record of `key`, or -1 when it did not occur. */
  get(key: Uint8Array): number {
    const slot = this.#slot(key, murmur2(key))
    return this.#starts[slot] === FREE ? -1 : this.#offsets[slot]!
  }

  clear(): void {
    this.#starts.fill(FREE)
    this.#arenaEnd = 0
    this.#keys = 0
  }

  /** The slot of the key, or the free one where it belongs. */
  #slot(key: Uint8Array, hash: number): number {
    let slot = hash & this.#mask
    while (this.#starts[slot] !== FREE && !(this.#hashes[slot] === hash && this.#holds(slot, key))) slot = (slot + 1) & this.#mask
    return slot
  }

  #holds(slot: number, key: Uint8Array): boolean {
    if (this.#lengths[slot] !== key.length) return false
    const start = this.#starts[slot]!
    for (let n = 0; n < key.length; n++) if (this.#arena[start + n] !== key[n]) return false
    return true
  }
}
