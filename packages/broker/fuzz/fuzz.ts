import { vi } from 'vitest'
import { SeededRandom } from '../test/harness/seeded-random.ts'

/** Length of one fuzzer's run: short among the unit tests, as long as wanted by `npm run fuzz -- --seconds N`. */
const SHORT_MS = 300
const isLong = process.env['MILLRACE_FUZZ_SECONDS'] !== undefined
const runMs = isLong ? Number(process.env['MILLRACE_FUZZ_SECONDS']) * 1000 : SHORT_MS
/** Where short runs begin, which are the same each time. */
const SHORT_SEED = 20_190
const givenSeed = process.env['MILLRACE_FUZZ_SEED']

vi.setConfig({ testTimeout: runMs + 60_000 })

/**
 * The body of a test that runs `round` until the time is up; with fresh chance in long runs. Every round has a seed of its own, so that a failing
 * one is repeated alone with `npm run fuzz -- --seed N`. Oracles are assertions inside `round`; an unexpected exception is a
 * finding too.
 */
export function fuzzing(round: (random: FuzzRandom) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const endMs = performance.now() + (givenSeed === undefined ? runMs : 0)
    let seed = givenSeed === undefined ? (isLong ? Math.floor(Math.random() * 2 ** 31) : SHORT_SEED) : Number(givenSeed)
    do {
      try {
        await round(new FuzzRandom(seed))
      } catch (error) {
        throw new Error(`Repeat this with: npm run fuzz -- --seed ${seed}`, { cause: error })
      }
      seed++
    } while (performance.now() < endMs)
  }
}

export class FuzzRandom extends SeededRandom {
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.between(0, 255))
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.between(0, values.length - 1)]!
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A changed copy: bits flipped, bytes that decoders stumble over, pieces removed, repeated or cut off. */
  mutate(bytes: Uint8Array): Uint8Array {
    let mutant: Uint8Array = bytes.slice()
    for (let changes = this.between(1, 4); changes > 0; changes--) mutant = this.#change(mutant)
    return mutant
  }

  #change(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return this.bytes(this.between(1, 8))
    const at = this.between(0, bytes.length - 1)
    const length = this.between(1, Math.min(16, bytes.length - at))
    switch (this.between(0, 5)) {
      case 0:
        bytes[at]! ^= 1 << this.between(0, 7)
        return bytes
      case 1:
        bytes[at] = this.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff])
        return bytes
      case 2:
        return concat(bytes.subarray(0, at), bytes.subarray(at + length))
      case 3:
        return concat(bytes.subarray(0, at + length), bytes.subarray(at))
      case 4:
        return bytes.slice(0, at)
      default:
        return concat(bytes.subarray(0, at), this.bytes(length), bytes.subarray(at))
    }
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
