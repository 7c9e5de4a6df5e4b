import type { LogId } from '../../storage/log-store.ts'
import type { ByteReader, ByteWriter } from '../state/bytes.ts'
import { LoggedCell } from '../state/cell-log.ts'
import { PRODUCER_LOGS_MAX, RUNS_MAX } from './limits.ts'

/** Sequences count the records of a producer in one log, and go from 2^31 - 1 to 0. */
const SEQUENCE_MASK = 0x7fffffff
const HALF = 0x40000000

/** Where the original of a batch is not known any more. */
export const UNKNOWN_OFFSET = -1

/** What a producer wrote to one log. */
interface Sequences {
  /** The sequence that comes next. */
  next: number
  /** Records it stored, as far as that matters: what lies further back than these was never taken. */
  taken: number
  /** Adjacent batches whose offsets are adjacent too, oldest first: sequence, records, offset, sequence, ... */
  readonly runs: number[]
  usedMinutes: number
}

/** What a batch is, by its sequence. Otherwise it is a duplicate: its offset, or UNKNOWN_OFFSET. */
export const IN_ORDER = -2
export const OUT_OF_ORDER = -3

/** One producer and where it is in each log that it writes to. */
export class Producer extends LoggedCell {
  readonly id: number
  /** Undefined for an anonymous one. */
  readonly name: string | undefined
  epoch: number
  usedMinutes: number
  readonly #logs = new Map<LogId, Sequences>()
  /** Since the last commit: log, sequence, records, offset, log, ... */
  readonly #changes: number[] = []

  constructor(entity: number, id: number, name: string | undefined, epoch: number, usedMinutes: number) {
    super(entity)
    this.id = id
    this.name = name
    this.epoch = epoch
    this.usedMinutes = usedMinutes
  }

  get isChanged(): boolean {
    return this.#changes.length > 0
  }

  /** Forgets what was written in older epochs. */
  begin(epoch: number): void {
    this.epoch = epoch
    this.#logs.clear()
    this.#changes.length = 0
  }

  /** What it knows of a log it takes as a whole; where it knows nothing, every sequence is in order. */
  place(log: LogId, sequence: number, records: number): number {
    const known = this.#logs.get(log)
    if (known === undefined) return IN_ORDER
    const behind = (known.next - sequence) & SEQUENCE_MASK
    if (behind === 0) return IN_ORDER
    if (behind > known.taken || records > behind) return OUT_OF_ORDER
    const { runs } = known
    for (let n = 0; n < runs.length; n += 3) {
      const into = (sequence - runs[n]!) & SEQUENCE_MASK
      if (into + records <= runs[n + 1]!) return runs[n + 2]! < 0 ? UNKNOWN_OFFSET : runs[n + 2]! + into
    }
    return UNKNOWN_OFFSET
  }

  /** That it wrote to, in this epoch. */
  logs(): IterableIterator<LogId> {
    return this.#logs.keys()
  }

  /** @param log one of `logs` */
  lastIn(log: LogId): { readonly sequence: number; readonly usedMinutes: number } {
    const { next, usedMinutes } = this.#logs.get(log)!
    return { sequence: (next - 1) & SEQUENCE_MASK, usedMinutes }
  }

  /** A batch is stored that was in order. @param offset of its first record; UNKNOWN_OFFSET where its records are not side by side */
  note(log: LogId, sequence: number, records: number, offset: number, nowMinutes: number): void {
    this.#changes.push(log, sequence, records, offset)
    this.#apply(log, sequence, records, offset, nowMinutes)
  }

  /** @returns whether anything is left of it */
  forgetUnused(sinceMinutes: number): boolean {
    for (const [log, { usedMinutes }] of this.#logs) if (usedMinutes < sinceMinutes) this.#logs.delete(log)
    return this.usedMinutes >= sinceMinutes
  }

  // ---- stored form: docs/formats/dedup.md -----------------------------------------------------------------------------

  writeDelta(out: ByteWriter): void {
    const changes = this.#changes
    out.varint(this.epoch)
    out.varint(this.usedMinutes)
    for (let n = 0; n < changes.length; n += 4) {
      out.varint(changes[n]!)
      out.varint(changes[n + 1]!)
      out.varint(changes[n + 2]!)
      out.varint(changes[n + 3]! + 1)
    }
    this.changesWritten()
  }

  changesWritten(): void {
    this.#changes.length = 0
  }

  applyDelta(delta: ByteReader): void {
    const epoch = delta.varint()
    if (epoch !== this.epoch) this.begin(epoch)
    const nowMinutes = delta.varint()
    while (delta.left > 0) this.#apply(delta.varint(), delta.varint(), delta.varint(), delta.varint() - 1, nowMinutes)
  }

  writeSnapshot(out: ByteWriter): undefined {
    out.varint(this.id)
    out.varint(this.name === undefined ? 0 : 1)
    if (this.name !== undefined) out.text(this.name)
    out.varint(this.epoch)
    out.varint(this.usedMinutes)
    for (const [log, { next, taken, runs, usedMinutes }] of this.#logs) {
      out.varint(log)
      out.varint(next)
      out.varint(taken)
      out.varint(usedMinutes)
      out.varint(runs.length / 3)
      for (let n = 0; n < runs.length; n += 3) {
        out.varint(runs[n]!)
        out.varint(runs[n + 1]!)
        out.varint(runs[n + 2]! + 1)
      }
    }
    return undefined
  }

  static readSnapshot(entity: number, snapshot: ByteReader): Producer {
    const id = snapshot.varint()
    const name = snapshot.varint() === 0 ? undefined : snapshot.text()
    const producer = new Producer(entity, id, name, snapshot.varint(), snapshot.varint())
    while (snapshot.left > 0) {
      const log = snapshot.varint()
      const sequences: Sequences = { next: snapshot.varint(), taken: snapshot.varint(), usedMinutes: snapshot.varint(), runs: [] }
      for (let left = snapshot.varint(); left > 0; left--) {
        sequences.runs.push(snapshot.varint(), snapshot.varint(), snapshot.varint() - 1)
      }
      producer.#logs.set(log, sequences)
    }
    return producer
  }

  #apply(log: LogId, sequence: number, records: number, offset: number, nowMinutes: number): void {
    this.usedMinutes = nowMinutes
    let sequences = this.#logs.get(log)
    if (sequences === undefined) {
      if (this.#logs.size >= PRODUCER_LOGS_MAX) this.#dropOldest()
      sequences = { next: 0, taken: 0, runs: [], usedMinutes: 0 }
      this.#logs.set(log, sequences)
    }
    sequences.usedMinutes = nowMinutes
    sequences.next = (sequence + records) & SEQUENCE_MASK
    sequences.taken = Math.min(HALF - 1, sequences.taken + records)
    const { runs } = sequences
    const last = runs.length - 3
    const adjoins = last >= 0 && this.#adjoins(runs[last]!, runs[last + 1]!, runs[last + 2]!, sequence, records, offset)
    if (adjoins) runs[last + 1] = runs[last + 1]! + records
    else {
      if (runs.length >= RUNS_MAX * 3) runs.splice(0, 3)
      runs.push(sequence, records, offset)
    }
  }

  /** Whether a batch goes on where a run of `count` records ends. */
  #adjoins(first: number, count: number, runOffset: number, sequence: number, records: number, offset: number): boolean {
    if (runOffset < 0 || offset !== runOffset + count || count + records >= HALF) return false
    return ((first + count) & SEQUENCE_MASK) === sequence
  }

  #dropOldest(): void {
    let oldest: LogId | undefined
    let usedMinutes = Infinity
    for (const [log, sequences] of this.#logs) {
      if (sequences.usedMinutes >= usedMinutes) continue
      oldest = log
      usedMinutes = sequences.usedMinutes
    }
    if (oldest !== undefined) this.#logs.delete(oldest)
  }
}
