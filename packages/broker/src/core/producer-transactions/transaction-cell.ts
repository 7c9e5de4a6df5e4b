/** One transactional producer and its transaction, and their stored form: docs/formats/transactions.md. */
import type { LogId } from '../../storage/log-store.ts'
import type { ProducerIdentity } from '../broker.ts'
import type { OffsetChange } from '../groups/committed-offsets.ts'
import { readStored, type StoredOffset, writeStored } from '../groups/group-offsets.ts'
import type { Place } from '../groups/place.ts'
import { type ByteReader, type ByteWriter, StateFormatError } from '../state/bytes.ts'
import { LoggedCell } from '../state/cell-log.ts'
import { EPOCH_MAX } from './limits.ts'

/** Numbers are stored: never reuse one. */
const PHASES = ['idle', 'open', 'committing'] as const
const OUTCOMES = ['none', 'commit', 'abort'] as const
const CAUSES = ['opened', 'ended', 'aborted'] as const

type Phase = (typeof PHASES)[number]
type LastOutcome = (typeof OUTCOMES)[number]
/** Why an identity was replaced: opened again by itself, ended its transaction, or was too slow. */
export type BumpCause = (typeof CAUSES)[number]

export interface PreviousIdentity extends ProducerIdentity {
  readonly cause: BumpCause
}

export class TransactionCell extends LoggedCell {
  readonly transactionalId: string
  identity: ProducerIdentity
  /** Whoever had it may know of the one that followed. Undefined once somebody else took over. */
  previous: PreviousIdentity | undefined
  timeoutMs: number
  /** Where batches wait for the end of their transaction. */
  log: LogId | undefined
  usedMs: number
  phase: Phase = 'idle'
  lastOutcome: LastOutcome = 'none'
  /** Counts its transactions. */
  number = 0
  startedMs = 0
  readonly places: Set<Place> = new Set()
  readonly offsets: Map<string, Map<Place, StoredOffset>> = new Map()
  readonly #newPlaces = new Set<Place>()
  readonly #newOffsets = new Map<string, Map<Place, StoredOffset>>()

  constructor(entity: number, transactionalId: string, identity: ProducerIdentity, timeoutMs: number, usedMs: number) {
    super(entity)
    this.transactionalId = transactionalId
    this.identity = identity
    this.timeoutMs = timeoutMs
    this.usedMs = usedMs
  }

  /** The next epoch. @param newProducer when there is none */
  bump(cause: BumpCause, nowMs: number, newProducer: () => ProducerIdentity): void {
    const { producerId, epoch } = this.identity
    this.previous = { producerId, epoch, cause }
    this.identity = epoch < EPOCH_MAX ? { producerId, epoch: epoch + 1 } : newProducer()
    this.usedMs = nowMs
  }

  begin(nowMs: number): void {
    this.phase = 'open'
    this.number++
    this.startedMs = nowMs
    this.usedMs = nowMs
  }

  addPlace(place: Place): void {
    this.places.add(place)
    this.#newPlaces.add(place)
  }

  addOffsets(group: string, changes: readonly OffsetChange[]): void {
    put(this.offsets, group, changes)
    put(this.#newOffsets, group, changes)
  }

  /** The transaction is over. */
  end(outcome: 'commit' | 'abort', nowMs: number): void {
    this.phase = 'idle'
    this.lastOutcome = outcome
    this.usedMs = nowMs
    this.#clear()
  }

  // ---- stored form ----------------------------------------------------------------------------------------------------

  /** Of places and offsets: everything else is in each delta. */
  get isChanged(): boolean {
    return this.#newPlaces.size > 0 || this.#newOffsets.size > 0
  }

  writeDelta(out: ByteWriter): void {
    this.#writeHeader(out)
    writeContent(out, this.#newPlaces, this.#newOffsets)
    this.changesWritten()
  }

  changesWritten(): void {
    this.#newPlaces.clear()
    this.#newOffsets.clear()
  }

  applyDelta(from: ByteReader): void {
    const { number } = this
    this.#readHeader(from)
    if (this.number !== number || this.phase === 'idle') this.#clear()
    for (let left = from.varint(); left > 0; left--) this.places.add(from.varint())
    for (let groups = from.varint(); groups > 0; groups--) {
      const group = from.text()
      const changes: OffsetChange[] = []
      for (let left = from.varint(); left > 0; left--) changes.push({ place: from.varint(), stored: readStored(from) })
      put(this.offsets, group, changes)
    }
  }

  writeSnapshot(out: ByteWriter): undefined {
    out.text(this.transactionalId)
    this.#writeHeader(out)
    writeContent(out, this.places, this.offsets)
    return undefined
  }

  static readSnapshot(entity: number, from: ByteReader): TransactionCell {
    const cell = new TransactionCell(entity, from.text(), { producerId: 0, epoch: 0 }, 0, 0)
    cell.applyDelta(from)
    return cell
  }

  #writeHeader(out: ByteWriter): void {
    const { identity, previous } = this
    out.varint(identity.producerId)
    out.varint(identity.epoch)
    out.varint(previous === undefined ? 0 : 1 + CAUSES.indexOf(previous.cause))
    if (previous !== undefined) {
      out.varint(previous.producerId)
      out.varint(previous.epoch)
    }
    out.varint(this.timeoutMs)
    out.varint(this.log === undefined ? 0 : this.log + 1)
    out.varint(this.usedMs)
    out.varint(this.number)
    out.varint(PHASES.indexOf(this.phase))
    out.varint(OUTCOMES.indexOf(this.lastOutcome))
    out.varint(this.startedMs)
  }

  #readHeader(from: ByteReader): void {
    this.identity = { producerId: from.varint(), epoch: from.varint() }
    const cause = from.varint()
    this.previous = cause === 0 ? undefined : { cause: named(CAUSES, cause - 1), producerId: from.varint(), epoch: from.varint() }
    this.timeoutMs = from.varint()
    const log = from.varint()
    this.log = log === 0 ? undefined : log - 1
    this.usedMs = from.varint()
    this.number = from.varint()
    this.phase = named(PHASES, from.varint())
    this.lastOutcome = named(OUTCOMES, from.varint())
    this.startedMs = from.varint()
  }

  #clear(): void {
    this.places.clear()
    this.offsets.clear()
    this.changesWritten()
  }
}

function put(to: Map<string, Map<Place, StoredOffset>>, group: string, changes: readonly OffsetChange[]): void {
  const offsets = to.get(group) ?? new Map<Place, StoredOffset>()
  to.set(group, offsets)
  for (const { place, stored } of changes) offsets.set(place, stored)
}

function writeContent(
  out: ByteWriter,
  places: ReadonlySet<Place>,
  offsets: ReadonlyMap<string, ReadonlyMap<Place, StoredOffset>>,
): void {
  out.varint(places.size)
  for (const place of places) out.varint(place)
  out.varint(offsets.size)
  for (const [group, ofGroup] of offsets) {
    out.text(group)
    out.varint(ofGroup.size)
    for (const [place, stored] of ofGroup) {
      out.varint(place)
      writeStored(out, stored)
    }
  }
}

function named<T>(names: readonly T[], index: number): T {
  const name = names[index]
  if (name === undefined) throw new StateFormatError(`unknown number ${index} in the state of a transactional producer`)
  return name
}
