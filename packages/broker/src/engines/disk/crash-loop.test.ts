import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleBatch } from '../../ports/conformance/journal.ts'
import type { AppendResult, Journal } from '../../ports/journal.ts'
import type { Random } from '../../ports/platform.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import { openDiskJournal } from './open-disk-journal.ts'
import { seededRandom } from './seeded-random.ts'

const SEGMENT_BYTES = 64 * 1024
const BATCH_BYTES_MAX = 40 * 1024
const BOOTS = 6

/** What a caller may rely on. The batch at a sequence is known by its length: its bytes follow from both. */
class Model {
  /** Of each sequence that was answered `ok`, or seen after a restart. */
  readonly bytes: number[] = []
  /** The append that was under way when the process died: there or not, decided at the next start. */
  unanswered: number | undefined
  forgotten = new Set<number>()
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await Promise.resolve()
}

/** One machine with one journal, which is started and dies again and again. */
class Machine {
  readonly random: Random
  readonly files: FaultFileSystem
  readonly model = new Model()
  readonly durability: 'fsync' | 'os'
  journal: Journal | undefined
  private deathsBefore = 0

  constructor(seed: number, durability: 'fsync' | 'os') {
    this.random = seededRandom(seed)
    this.durability = durability
    const pace = seededRandom(seed + 2)
    this.files = new FaultFileSystem({
      random: seededRandom(seed + 1),
      shortWritesOf256: 8,
      // Calls that are under way at the same time overtake each other.
      pause: (call) => (call === 'lock' ? undefined : turns(pace.uint32() % 8)),
    })
  }

  get isDead(): boolean {
    return this.files.deaths > this.deathsBefore
  }

  below(limit: number): number {
    return this.random.uint32() % limit
  }

  /** False if the machine lost power meanwhile. */
  async start(): Promise<boolean> {
    const { durability, files } = this
    this.deathsBefore = files.deaths
    const options = { directory: '/data', durability, segmentBytes: SEGMENT_BYTES, batchBytesMax: BATCH_BYTES_MAX }
    const clock = { nowMs: () => 0, monotonicMs: () => 0 }
    const more = { fileSystem: files.boot(), clock, random: this.random, onWarning: () => undefined }
    this.journal = await this.orDeath(() => openDiskJournal({ ...options, ...more }))
    return this.journal !== undefined
  }

  /** Undefined if the process dies before it is done. */
  async orDeath<T>(run: () => Promise<T>): Promise<T | undefined> {
    if (this.isDead) return undefined
    const death = this.files.death.then(() => undefined)
    const result = await Promise.race([run(), death])
    return this.isDead ? undefined : result
  }

  async checkRecovered(lossAllowed: boolean): Promise<void> {
    const { model } = this
    const { next } = this.journal!.bounds()
    if (model.unanswered !== undefined && next > model.bytes.length) model.bytes.push(model.unanswered)
    model.unanswered = undefined
    if (lossAllowed && next < model.bytes.length) model.bytes.length = next
    equal(next, model.bytes.length)
    for (let seq = 0; seq < next; seq++) if (!model.forgotten.has(seq)) await this.check(seq)
  }

  async check(seq: number): Promise<void> {
    const expected = sampleBatch(seq, this.model.bytes[seq]!)
    const from = this.below(2) === 0 ? 0 : this.below(expected.length + 1)
    const read = await this.orDeath(() => this.journal!.read(seq, from, BATCH_BYTES_MAX))
    if (read !== undefined) equal(Buffer.compare(read, expected.subarray(from)), 0)
  }

  /** Appends, forgets and reads until the process dies or `steps` are done. */
  async work(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const choice = this.below(10)
      const isAlive = choice < 7 ? await this.append() : choice < 9 ? await this.forget() : await this.readOne()
      if (!isAlive) return
    }
  }

  private async append(): Promise<boolean> {
    const { model } = this
    const seq = model.bytes.length
    const bytes = this.below(4) === 0 ? this.below(BATCH_BYTES_MAX) : this.below(600)
    model.unanswered = bytes
    const result: AppendResult | undefined = await this.orDeath(() => this.journal!.append(seq, [sampleBatch(seq, bytes)]))
    if (result === undefined) return false
    deepEqual(result, { kind: 'ok' })
    model.unanswered = undefined
    model.bytes.push(bytes)
    return true
  }

  private async forget(): Promise<boolean> {
    const { model } = this
    const next = model.bytes.length
    if (next === 0) return true
    const first = this.below(next)
    const last = Math.min(next - 1, first + this.below(40))
    for (let seq = first; seq <= last; seq++) model.forgotten.add(seq)
    return (await this.orDeath(() => this.journal!.discard(first, last).then(() => true))) === true
  }

  private async readOne(): Promise<boolean> {
    const { bytes, forgotten } = this.model
    const seq = this.below(Math.max(1, bytes.length))
    if (seq < bytes.length && !forgotten.has(seq)) await this.check(seq)
    return true
  }

  die(): 'powerLoss' | 'kill' | 'close' {
    const way = (['powerLoss', 'powerLoss', 'kill', 'close'] as const)[this.below(4)]!
    if (way === 'powerLoss') this.files.powerLoss()
    if (way === 'kill') this.files.kill()
    return way
  }
}

/** Starts, works and dies `BOOTS` times; power is also lost in the middle of anything, starting included. */
async function liveThrough(seed: number, durability: 'fsync' | 'os'): Promise<void> {
  const machine = new Machine(seed, durability)
  let isLossAllowed = false
  for (let boot = 0; boot < BOOTS; boot++) {
    if (machine.below(2) === 0) machine.files.powerLossAt = machine.files.mutations + machine.below(120)
    if (!(await machine.start())) {
      isLossAllowed = true
      continue
    }
    await machine.checkRecovered(isLossAllowed && durability === 'os')
    isLossAllowed = false
    await machine.work(10 + machine.below(50))
    const way = machine.isDead ? 'powerLoss' : machine.die()
    isLossAllowed = way === 'powerLoss'
    if (way === 'close') {
      machine.files.powerLossAt = Infinity
      await machine.journal!.close()
    }
  }
  machine.files.powerLossAt = Infinity
  equal(await machine.start(), true)
  await machine.checkRecovered(isLossAllowed && durability === 'os')
  await machine.work(30)
  await machine.journal!.close()
}

/** @returns what failed, with the seed, or undefined */
async function failureIn(numRuns: number, durability: 'fsync' | 'os'): Promise<string | undefined> {
  const property = fc.asyncProperty(fc.nat(), (seed) => liveThrough(seed, durability))
  return fc.defaultReportMessage(await fc.check(property, { numRuns, endOnFailure: true }))
}

describe('a journal whose machine dies again and again', () => {
  it('with fsync: keeps every acknowledged batch, and an unanswered one whole or not at all', async () => {
    expect(await failureIn(200, 'fsync')).toBeUndefined()
  })

  it('with os: keeps every acknowledged batch when only the process dies, and a prefix of them when the machine does', async () => {
    expect(await failureIn(150, 'os')).toBeUndefined()
  })
})
