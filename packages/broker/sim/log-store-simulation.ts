import { crc32c, encodeBatch, RecordBatchBuilder } from '@millrace/wire'
import { MillraceError } from '../src/base/errors.ts'
import type { JournalLogStore } from '../src/storage/journal-log-store.ts'
import { defaultStorageLimits, type StorageLimits } from '../src/storage/limits.ts'
import type { LogId, StoredBatch } from '../src/storage/log-store.ts'
import { openLogStore } from '../src/storage/open-log-store.ts'
import { check, LogStoreChecks } from './log-store-checks.ts'
import { LogStoreModel, type ModelBatch } from './log-store-model.ts'
import { isOutcomeUnknown, SimulatedJournal } from './simulated-journal.ts'
import { diskEngine, memoryEngine, type EngineName, type SimulatedEngine } from './simulated-engine.ts'
import { VirtualPlatform } from './virtual-platform.ts'

/** So small that every mechanism is at work in a run of some hundred operations. */
const TINY: StorageLimits = {
  ...defaultStorageLimits,
  batchBytesMax: 6000,
  commitBytesMax: 4096,
  pendingBytesHigh: 16 * 1024,
  pendingBytesLow: 4096,
  tailCacheBytes: 6000,
  indexRunEntries: 8,
  checkpointBytes: 24 * 1024,
  checkpointRatio: 1,
  checkpointCommits: 60,
  liveShareMin: 0.6,
  deadBytesMin: 0,
  entryBytesMax: 700,
  largeBatchBytes: 500,
  runCacheBytes: 3000,
  recentHeadsBytes: 1000,
  recentHeadsCommits: 16,
  sliceBytes: 400,
  collectCommits: 6,
  headroomReserveBytes: 40 * 1024,
  fullRetryMs: 20,
}

const LOGS_MAX = 6

/** How often what happened. */
export type Coverage = Map<string, number>

/** A random program against the store and the model; everything follows from the seed. @throws when the two disagree */
export async function simulateLogStore(engine: EngineName, seed: number, steps: number, coverage: Coverage): Promise<void> {
  const simulation = new LogStoreSimulation(engine, seed, coverage)
  await simulation.run(steps)
}

interface LateRead {
  readonly log: LogId
  readonly from: number
  readonly before: readonly ModelBatch[]
  readonly done: Promise<readonly StoredBatch[]>
}

class LogStoreSimulation {
  readonly #platform: VirtualPlatform
  readonly #engine: SimulatedEngine
  readonly #coverage: Coverage
  readonly #model = new LogStoreModel()
  #journal!: SimulatedJournal
  #store!: JournalLogStore
  /** All commits up to this ticket were announced as durable, by this life of the store or an earlier one. */
  #acked = 0
  #failure: Error | undefined
  #lateReads: LateRead[] = []
  #value = 0
  /** Consumers are slow in this program: the journal fills up. */
  readonly #hoards: boolean

  constructor(engine: EngineName, seed: number, coverage: Coverage) {
    this.#platform = new VirtualPlatform(seed)
    this.#engine = engine === 'memory' ? memoryEngine(this.#platform) : diskEngine(this.#platform)
    this.#coverage = coverage
    this.#hoards = this.#below(3) === 0
  }

  async run(steps: number): Promise<void> {
    await this.#open()
    for (let step = 0; step < steps; step++) {
      await this.#step()
      if (this.#failure !== undefined) await this.#crash('failed')
      await this.#progress()
    }
    await this.#finishLateReads()
    await this.#rest()
    await this.#verifyAll()
    await this.#restart()
    await this.#verifyAll()
    await this.#winRoomBack()
    this.#countMechanisms()
  }

  // ---- what happens ---------------------------------------------------------------------------------------------------

  async #step(): Promise<void> {
    const dice = this.#below(1000)
    if (dice < 40) this.#create()
    else if (dice < 46) this.#delete()
    else if (dice < 420) this.#appendSome()
    else if (dice < 470) this.#appendShared()
    else if (dice < 510) this.#group()
    else if (dice < 650 && this.#hoards) this.#appendSome()
    else if (dice < 590) this.#trim()
    else if (dice < 650) this.#discard()
    else if (dice < 700) await this.#replace()
    else if (dice < 800) this.#readSomewhere()
    else if (dice < 850) await this.#verifySome()
    else if (dice < 900) await this.#lookUp()
    else if (dice < 920) await this.#compareIndexes()
    else if (dice < 940) this.#journal.faults.full = 1 + this.#below(3)
    else if (dice < 946) await this.#failAppend()
    else if (dice < 956) await this.#crash('crashes')
    else if (dice < 962) await this.#restart()
    else if (dice < 968) await this.#damageCheckpoint()
    else if (dice < 972) await this.#takeOver()
    else await this.#rest()
  }

  async #progress(): Promise<void> {
    const dice = this.#below(10)
    if (dice < 3) return
    if (dice < 6) this.#platform.runTurn()
    else if (dice < 9) await this.#platform.settle()
    else await this.#platform.advance(this.#below(8))
  }

  #create(): void {
    if (this.#liveLogs().length >= LOGS_MAX) return
    this.#write(() => {
      const log = this.#store.createLog()
      check(!this.#model.logs.has(log), `log id ${log} is used twice`)
      this.#model.create(this.#store.ticket(), log)
    })
  }

  #delete(): void {
    const log = this.#anyLog()
    if (log === undefined) return
    this.#write(() => {
      this.#store.deleteLog(log)
      this.#model.delete(this.#store.ticket(), log)
    })
  }

  #appendSome(): void {
    const isBurst = this.#below(4) === 0
    const first = this.#anyLog()
    for (let left = 1 + this.#below(isBurst ? 12 : 3); left > 0; left--) {
      const log = this.#below(3) === 0 ? this.#anyLog() : first
      if (log === undefined || !this.#hasRoom()) return
      this.#write(() => this.#append(log))
    }
  }

  #append(log: LogId): void {
    const { bytes, offsets, timestampMs } = this.#batch()
    const base = this.#store.append(log, bytes, offsets)
    this.#model.append(this.#store.ticket(), log, { base, end: base + offsets, bytes: bytes.slice(8), timestampMs })
    bytes.fill(0xee)
  }

  #appendShared(): void {
    const logs = this.#liveLogs().filter(() => this.#below(2) === 0)
    if (!this.#hasRoom()) return
    this.#write(() => {
      for (let left = 1 + this.#below(3); left > 0; left--) {
        const { bytes, offsets, timestampMs } = this.#batch()
        const bases = this.#store.appendShared(logs, bytes, offsets)
        check(bases.length === logs.length, 'appendShared gives one offset per log')
        const ticket = this.#store.ticket()
        bases.forEach((base, n) =>
          this.#model.append(ticket, logs[n]!, { base, end: base + offsets, bytes: bytes.slice(8), timestampMs }),
        )
        bytes.fill(0xee)
      }
    })
  }

  /** Several writes that must be kept or lost together. */
  #group(): void {
    const logs = this.#liveLogs()
    if (logs.length === 0 || !this.#hasRoom()) return
    this.#write(() => {
      const batches = Array.from({ length: 1 + this.#below(6) }, () => this.#batch())
      const room = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
      try {
        this.#store.reserve(room)
      } catch (error) {
        if (room < 13_000 || !(error instanceof MillraceError) || error.code !== 'record_too_large') throw error
        this.#count('refusedGroups')
        return
      }
      const ticket = this.#store.ticket()
      for (const { bytes, offsets, timestampMs } of batches) {
        const log = logs[this.#below(logs.length)]!
        const base = this.#store.append(log, bytes, offsets)
        this.#model.append(ticket, log, { base, end: base + offsets, bytes: bytes.slice(8), timestampMs })
      }
      check(this.#store.ticket() === ticket, 'a reserved group is in one commit')
      this.#count('groups')
    })
  }

  #trim(): void {
    const log = this.#anyLog()
    if (log === undefined) return
    const state = this.#model.logs.get(log)
    const start = state === undefined ? 0 : state.start
    const end = state === undefined ? 3 : state.end + 2
    this.#trimTo(log, this.#below(6) === 0 ? end : start + this.#below(Math.max(1, Math.ceil((end - start) / 2))))
  }

  #trimTo(log: LogId, start: number): void {
    this.#write(() => {
      const next = this.#nextOffset(log)
      this.#store.trim(log, start)
      this.#model.trim(this.#store.ticket(), log, Math.min(start, next))
    })
  }

  #discard(): void {
    const log = this.#anyLog()
    const state = log === undefined ? undefined : this.#model.logs.get(log)
    if (log === undefined || state === undefined || state.end === 0) return
    for (let left = 1 + this.#below(4); left > 0; left--) {
      const first = state.start + this.#below(Math.max(1, state.end - state.start))
      const last = first + this.#below(this.#below(2) === 0 ? 4 : 60)
      this.#write(() => {
        const next = this.#nextOffset(log)
        this.#store.discard(log, first, last)
        this.#model.discard(this.#store.ticket(), log, first, Math.min(last + 1, next))
      })
    }
  }

  async #replace(): Promise<void> {
    const log = this.#anyLog()
    const state = log === undefined ? undefined : this.#model.logs.get(log)
    if (log === undefined || state === undefined) return
    const visible = this.#model.visible(state)
    if (visible.length === 0 || !this.#hasRoom()) return
    const from = this.#below(visible.length)
    const to = Math.min(visible.length, from + 1 + this.#below(20))
    const first = visible[from]!.base
    const end = visible[to - 1]!.end
    const base = first + this.#below(Math.min(4, end - first))
    const offsets = 1 + this.#below(end - base)
    let batch: ModelBatch | undefined
    let bytes: Uint8Array | undefined
    if (this.#below(5) > 0) {
      bytes = this.#compacted(offsets)
      batch = { base, end: base + offsets, bytes: bytes.slice(8), timestampMs: 5000 }
    }
    const promise = this.#store.replace(log, first, end - 1, base, bytes)
    let isReplaced: boolean
    try {
      isReplaced = await this.#platform.until(promise)
    } catch (error) {
      if (!isOutcomeUnknown(error)) throw error
      return
    }
    check(isReplaced || !this.#isReplaceable(log, first, end), `replacing ${first}..${end - 1} of log ${log} was refused`)
    if (!isReplaced) return
    this.#model.replace(this.#acked, log, first, end, batch)
    this.#model.commit(this.#acked)
    this.#count('replaced')
  }

  #isReplaceable(log: LogId, first: number, end: number): boolean {
    const state = this.#model.logs.get(log)
    return state !== undefined && this.#model.visible(state).some((batch) => batch.base < end && batch.end > first)
  }

  #readSomewhere(): void {
    const log = this.#anyLog()
    const state = log === undefined ? undefined : this.#model.logs.get(log)
    if (log === undefined || state === undefined) return
    const from = state.start + this.#below(state.end - state.start + 1)
    const before = this.#model.visible(state)
    const found = this.#store.read(log, from, this.#below(2) === 0 ? 1 : this.#below(6000))
    if (found instanceof Promise) {
      found.catch(() => undefined)
      this.#lateReads.push({ log, from, before, done: found })
      this.#count('coldReads')
    } else {
      this.#checks().checkRead(log, from, found, before)
      this.#count('cachedReads')
    }
  }

  async #lookUp(): Promise<void> {
    await this.#rest()
    const log = this.#anyCommittedLog()
    if (log === undefined) return
    if (this.#below(2) === 0) await this.#checks().checkTimestamp(log, this.#below(6000))
    else await this.#checks().checkOldest(log)
  }

  // ---- faults ---------------------------------------------------------------------------------------------------------

  async #failAppend(): Promise<void> {
    if (this.#engine.name === 'memory') this.#journal.faults.unknown = true
    else this.#engine.failSync()
    this.#appendSome()
    await this.#platform.settle()
    await this.#platform.advance(50)
    if (this.#failure === undefined) return
    this.#count('failedAppends')
    const ackedAtFailure = this.#acked
    const log = this.#anyLog()
    if (log !== undefined) {
      let refused: unknown
      try {
        this.#store.append(log, this.#batch().bytes, 1)
      } catch (error) {
        refused = error
      }
      check(isOutcomeUnknown(refused), 'after a failure appends are refused')
    }
    await this.#platform.advance(50)
    check(this.#acked === ackedAtFailure, 'nothing is confirmed after a failure')
  }

  /** The process dies, and another one takes over what it left. */
  async #crash(kind: string): Promise<void> {
    this.#count(kind)
    this.#countMechanisms()
    this.#lateReads = []
    await this.#journal.die()
    this.#engine.die()
    this.#platform.forget()
    await this.#open()
    await this.#verifyAll()
  }

  async #restart(): Promise<void> {
    await this.#finishLateReads()
    let isFull = false
    try {
      await this.#platform.until(this.#store.close())
    } catch (error) {
      isFull = error instanceof MillraceError && error.code === 'disk_full'
      if (!isFull && !isOutcomeUnknown(error)) throw error
    }
    if (isFull) {
      await this.#crash('closedFull')
      return
    }
    if (this.#failure !== undefined) {
      await this.#crash('failed')
      return
    }
    check(this.#model.pendingCount === 0, 'closing writes what is pending')
    this.#countMechanisms()
    const { next } = this.#journal.bounds()
    if (this.#engine.name === 'disk') await this.#platform.until(this.#journal.close())
    await this.#journal.die()
    this.#platform.forget()
    check(this.#store.checkpoint.last >= next - 3, 'closing ends with a checkpoint')
    this.#count('restarts')
    await this.#open()
  }

  /** Part of the newest checkpoint is damaged at rest. */
  async #damageCheckpoint(): Promise<void> {
    await this.#rest()
    if (this.#failure !== undefined) return
    await this.#crash('crashesBeforeDamage')
    const { last } = this.#store.checkpoint
    if (last < 0) return
    const length = await this.#platform.until(this.#journal.length(last))
    const from = this.#below(length)
    await this.#journal.die()
    this.#engine.die()
    this.#platform.forget()
    await this.#open({ seq: last, from, to: from + 1 + this.#below(200) })
    await this.#verifyAll()
  }

  /** Another owner opens the journal while this one works. */
  async #takeOver(): Promise<void> {
    if (this.#engine.name !== 'memory') return
    const older = this.#store
    const olderJournal = this.#journal
    await this.#finishLateReads()
    const journal = new SimulatedJournal(await this.#engine.open(), this.#platform, true)
    this.#appendSome()
    let younger: JournalLogStore
    try {
      younger = (await this.#platform.until(
        openLogStore({ journal, platform: this.#platform, crc32c, limits: TINY }),
      )) as JournalLogStore
    } catch (error) {
      if (
        !(error instanceof MillraceError) ||
        (error.code !== 'data_in_use' && error.code !== 'data_corrupt' && error.code !== 'offset_out_of_range')
      )
        throw error
      // The older owner was faster, or gave up what the younger was reading.
      this.#count('lostTakeOvers')
      await journal.die()
      return
    }
    const kept = younger.foundCommits
    this.#count('takeOvers')
    check(this.#acked <= kept, 'the younger owner has all that the older one confirmed')
    if (this.#failure === undefined) this.#appendSome()
    older.touch()
    await this.#platform.advance(100)
    check(this.#failure !== undefined, 'the older owner learns that it is fenced out')
    check(this.#acked <= kept, 'the older owner confirms nothing more')
    this.#countMechanisms()
    await olderJournal.die()
    this.#adopt(younger, journal, kept)
    await this.#verifyAll()
  }

  // ---- lives ----------------------------------------------------------------------------------------------------------

  async #open(damage?: { readonly seq: number; readonly from: number; readonly to: number }): Promise<void> {
    const inner = await this.#platform.until(this.#engine.open())
    const journal = new SimulatedJournal(inner, this.#platform, this.#engine.name === 'memory')
    const kept = inner.bounds().next
    check(kept >= this.#acked, `commit ${this.#acked} was confirmed, but only ${kept} are there`)
    if (damage !== undefined) journal.faults.damaged.set(damage.seq, damage)
    let store: JournalLogStore
    try {
      store = (await this.#platform.until(
        openLogStore({ journal, platform: this.#platform, crc32c, limits: TINY }),
      )) as JournalLogStore
    } catch (error) {
      if (damage === undefined || !(error instanceof MillraceError) || error.code !== 'data_corrupt') throw error
      // What the older checkpoints need is gone, or the damage hit what there is no second copy of: it was noticed.
      this.#count('refusedDamage')
      await journal.die()
      this.#engine.die()
      this.#platform.forget()
      await this.#open()
      return
    }
    if (store.skippedCheckpoints > 0) this.#count('checkpointsSkipped')
    if (damage !== undefined) journal.faults.damaged.clear()
    this.#adopt(store, journal, kept)
  }

  #adopt(store: JournalLogStore, journal: SimulatedJournal, kept: number): void {
    this.#model.commit(kept)
    this.#model.crash()
    this.#store = store
    this.#journal = journal
    this.#acked = store.committedTicket
    this.#failure = undefined
    store.onCommitted((ticket) => {
      if (this.#store !== store) return
      check(ticket === this.#acked + 1, `commit ${ticket} is announced after ${this.#acked}`)
      this.#acked = ticket
      this.#model.commit(ticket)
    })
    store.onFailed((error) => {
      if (this.#store === store) this.#failure = error
    })
  }

  /** When everything is trimmed, publishes are accepted again, however full the journal was. */
  async #winRoomBack(): Promise<void> {
    for (const log of this.#liveLogs()) this.#trimTo(log, Infinity)
    for (let n = 0; n < 20 && !this.#store.acceptsPublishes; n++) {
      this.#count('roomWonBack')
      this.#store.touch()
      await this.#platform.advance(20)
    }
    check(this.#store.acceptsPublishes, 'publishes are accepted again when everything is trimmed')
  }

  /** Lets everything come to rest; the journal works again. */
  async #rest(): Promise<void> {
    this.#journal.faults.full = 0
    for (let n = 0; n < 500 && this.#failure === undefined; n++) {
      await this.#platform.advance(20)
      if (this.#store.committedTicket >= this.#store.ticket() - 1 && this.#store.pendingBytes === 0) break
    }
    await this.#platform.settle()
  }

  // ---- checks ---------------------------------------------------------------------------------------------------------

  async #verifySome(): Promise<void> {
    await this.#rest()
    const log = this.#anyCommittedLog()
    if (this.#failure === undefined && log !== undefined) await this.#checks().verifyLog(log)
  }

  async #verifyAll(): Promise<void> {
    if (this.#failure === undefined) await this.#checks().verifyAll()
  }

  async #finishLateReads(): Promise<void> {
    const reads = this.#lateReads
    this.#lateReads = []
    for (const { log, from, before, done } of reads) this.#checks().checkRead(log, from, await this.#platform.until(done), before)
  }

  async #compareIndexes(): Promise<void> {
    await this.#rest()
    if (this.#failure !== undefined) return
    for (const compared of await this.#checks().compareIndexes(this.#journal)) this.#count(compared)
  }

  #checks(): LogStoreChecks {
    return new LogStoreChecks(this.#store, this.#model, this.#platform)
  }

  // ---- chance ---------------------------------------------------------------------------------------------------------

  #below(limit: number): number {
    return this.#platform.below(limit)
  }

  #liveLogs(): readonly LogId[] {
    return this.#store.logs()
  }

  #anyLog(): LogId | undefined {
    const logs = this.#liveLogs()
    return logs.length === 0 ? undefined : logs[this.#below(logs.length)]
  }

  #anyCommittedLog(): LogId | undefined {
    const logs = this.#liveLogs().filter((log) => this.#model.logs.has(log))
    return logs.length === 0 ? undefined : logs[this.#below(logs.length)]
  }

  #nextOffset(log: LogId): number {
    return this.#store.index.logs.get(log)!.next
  }

  /** Publishers ask first. Where there is no room, consumers make some. */
  #hasRoom(): boolean {
    if (this.#failure !== undefined) return false
    if (this.#store.acceptsPublishes) return true
    this.#count(this.#journal.faults.full > 0 ? 'refusedPublishes' : 'refusedForLackOfRoom')
    for (const log of this.#liveLogs()) this.#trimTo(log, Infinity)
    return false
  }

  /** A write, which may find that the store has failed. */
  #write(write: () => void): void {
    if (this.#failure !== undefined) return
    try {
      write()
    } catch (error) {
      if (!isOutcomeUnknown(error)) throw error
    }
  }

  #batch(): { readonly bytes: Uint8Array; readonly offsets: number; readonly timestampMs: number } {
    const dice = this.#below(20)
    const size = dice === 0 ? 3000 + this.#below(1500) : dice < 4 ? 300 + this.#below(500) : this.#below(60)
    const offsets = this.#below(3) === 0 ? 1 + this.#below(5) : 1
    const timestampMs = this.#below(5000)
    const records = Array.from({ length: offsets }, (_, n) => ({
      timestampMs: n === 0 ? timestampMs : 0,
      value: this.#text(n === 0 ? size : 3),
    }))
    return { bytes: encodeBatch(records), offsets, timestampMs }
  }

  #compacted(offsets: number): Uint8Array {
    const builder = new RecordBatchBuilder()
    builder.append(5000, null, this.#text(this.#below(80)))
    return builder.finish(offsets).slice()
  }

  #text(size: number): Uint8Array {
    const bytes = new Uint8Array(4 + size).fill(this.#below(256))
    new DataView(bytes.buffer).setUint32(0, this.#value++)
    return bytes
  }

  #count(what: string, times = 1): void {
    this.#coverage.set(what, (this.#coverage.get(what) ?? 0) + times)
  }

  #countMechanisms(): void {
    for (const [name, times] of Object.entries(this.#store.counters)) this.#count(name, times)
  }
}
