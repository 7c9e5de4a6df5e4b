/** Idempotent producers: who they are, and which of their batches are stored. */
import { batchBaseSequence, batchProducerEpoch, batchProducerId, batchRecordCount } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MINUTE_MS } from '../../base/units.ts'
import type { Platform } from '../../ports/platform.ts'
import type { LogId } from '../../storage/log-store.ts'
import type { ProducerIdentity } from '../broker.ts'
import { CellLog, type CellLogHome } from '../state/cell-log.ts'
import type { PartitionProducer } from '../stored-topic.ts'
import type { RecoveredCells } from '../state/read-cell-log.ts'
import type { Deadline, Timers } from '../timers.ts'
import {
  PRODUCER_CHANGE_BYTES,
  PRODUCER_NAME_BYTES_MAX,
  PRODUCER_SWEEP_MS,
  PRODUCER_UNUSED_MINUTES_MAX,
  PRODUCERS_LOG_BYTES_FLOOR,
  PRODUCERS_MAX,
} from './limits.ts'
import { IN_ORDER, OUT_OF_ORDER, Producer } from './producer.ts'

const EPOCH_MAX = 0x7fff

export interface ProducersParts extends CellLogHome {
  readonly platform: Platform
  readonly timers: Timers
  /** The log of producers is there from now on: its id is to be kept in the open commit. */
  readonly onLogCreated: (log: LogId) => void
}

export class Producers implements Deadline {
  readonly #parts: ProducersParts
  readonly #log: CellLog<Producer>
  readonly #byId = new Map<number, Producer>()
  readonly #byName = new Map<string, Producer>()

  constructor(parts: ProducersParts) {
    this.#parts = parts
    this.#log = new CellLog(parts, PRODUCERS_LOG_BYTES_FLOOR, parts.onLogCreated)
  }

  restore(recovered: RecoveredCells<Producer>): void {
    this.#log.restore(recovered)
    for (const { cell } of recovered.cells) this.#add(cell)
  }

  /** See `Broker.openProducer`. */
  open(name: string | undefined, current: ProducerIdentity | undefined): ProducerIdentity {
    if (name === undefined) return { producerId: this.#newId(1), epoch: 0 }
    checkName(name)
    const known = this.#byName.get(name)
    if (current !== undefined && (known?.id !== current.producerId || known.epoch !== current.epoch)) {
      throw fenced(`the producer ${JSON.stringify(name)} was opened by somebody else since`)
    }
    const { store, cycle } = this.#parts
    const { id, epoch } = this.#next(name, known)
    cycle.gatheredBytes += PRODUCER_CHANGE_BYTES + name.length
    cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    store.touch()
    return { producerId: id, epoch }
  }

  /**
   * Looks at the header of a batch that names a producer.
   * @returns the offset of its original where it is a duplicate (UNKNOWN_OFFSET where that is not known any more), else IN_ORDER
   * @throws MillraceError `fenced`, `out_of_order_sequence`, `bad_batch`
   */
  check(batch: Uint8Array, log: LogId): number {
    const id = batchProducerId(batch)
    const epoch = batchProducerEpoch(batch)
    const sequence = batchBaseSequence(batch)
    if (!Number.isSafeInteger(id) || epoch < 0 || sequence < 0) {
      throw new MillraceError('bad_batch', 'the record batch was refused: its producer has no valid id, epoch or sequence')
    }
    const producer = this.#byId.get(id)
    if (producer === undefined) {
      if (isNamed(id)) throw fenced(`producer ${id} is not known: a week without use ends it, and 32,768 openings`)
      return IN_ORDER
    }
    if (epoch < producer.epoch) throw fenced(`epoch ${epoch} of producer ${id} is over: epoch ${producer.epoch} was opened since`)
    if (epoch > producer.epoch) {
      if (isNamed(id)) throw fenced(`epoch ${epoch} of producer ${id} was never opened`)
      if (sequence !== 0) throw outOfOrder(id, sequence, `its epoch ${epoch} begins with 0`)
      return IN_ORDER
    }
    const place = producer.place(log, sequence, batchRecordCount(batch))
    if (place === OUT_OF_ORDER) throw outOfOrder(id, sequence, 'batches before it are missing, or overlap it')
    return place
  }

  /** A batch that was in order is stored with the open commit, which has room reserved. @param offset UNKNOWN_OFFSET where its records are not side by side */
  note(batch: Uint8Array, log: LogId, offset: number): void {
    const id = batchProducerId(batch)
    const epoch = batchProducerEpoch(batch)
    const producer = this.#byId.get(id) ?? this.#create(id, undefined, epoch)
    if (epoch !== producer.epoch) producer.begin(epoch)
    producer.note(log, batchBaseSequence(batch), batchRecordCount(batch), offset, this.#nowMinutes())
    this.#log.changed(producer, PRODUCER_CHANGE_BYTES)
  }

  /** Those that wrote to some logs, by log, as far as they are remembered. */
  of(logs: ReadonlySet<LogId>): ReadonlyMap<LogId, readonly PartitionProducer[]> {
    const found = new Map<LogId, PartitionProducer[]>()
    for (const producer of this.#byId.values()) {
      for (const log of producer.logs()) {
        if (!logs.has(log)) continue
        const { id: producerId, epoch } = producer
        const { sequence: lastSequence, usedMinutes } = producer.lastIn(log)
        const writers = found.get(log) ?? []
        writers.push({ producerId, epoch, lastSequence, usedMs: usedMinutes * MINUTE_MS })
        found.set(log, writers)
      }
    }
    return found
  }

  // ---- Deadline -----------------------------------------------------------------------------------------------------

  /** Forgets those that nobody uses. */
  due(nowMs: number): void {
    const sinceMinutes = this.#nowMinutes() - PRODUCER_UNUSED_MINUTES_MAX
    for (const producer of this.#byId.values()) {
      if (!producer.forgetUnused(sinceMinutes)) this.#remove(producer)
    }
    if (this.#byId.size > 0) this.#parts.timers.add(nowMs + PRODUCER_SWEEP_MS, this)
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  /** Who has the name from now on. */
  #next(name: string, known: Producer | undefined): Producer {
    if (known === undefined) return this.#create(this.#newId(0), name, 0)
    if (known.epoch >= EPOCH_MAX) {
      this.#remove(known)
      return this.#create(this.#newId(0), name, 0)
    }
    known.begin(known.epoch + 1)
    known.usedMinutes = this.#nowMinutes()
    this.#log.snapshot(known, 0)
    return known
  }

  #create(id: number, name: string | undefined, epoch: number): Producer {
    if (this.#byId.size >= PRODUCERS_MAX) this.#makeRoom()
    const producer = new Producer(this.#log.newEntity(), id, name, epoch, this.#nowMinutes())
    this.#add(producer)
    this.#log.snapshot(producer, 0)
    return producer
  }

  #add(producer: Producer): void {
    if (this.#byId.size === 0) {
      this.#parts.timers.add(this.#parts.platform.clock.monotonicMs() + PRODUCER_SWEEP_MS, this)
    }
    this.#byId.set(producer.id, producer)
    if (producer.name !== undefined) this.#byName.set(producer.name, producer)
  }

  #remove(producer: Producer): void {
    this.#byId.delete(producer.id)
    if (producer.name !== undefined) this.#byName.delete(producer.name)
    this.#log.remove(producer)
  }

  /** Forgets the hundredth part that nobody used for longest. */
  #makeRoom(): void {
    const byUse = [...this.#byId.values()].toSorted((a, b) => a.usedMinutes - b.usedMinutes)
    for (const producer of byUse.slice(0, PRODUCERS_MAX / 100)) this.#remove(producer)
  }

  /** Those of named producers are even, so that one that was forgotten is not taken for a new anonymous one. */
  #newId(lowestBit: 0 | 1): number {
    const { random } = this.#parts.platform
    for (;;) {
      const id = (random.uint32() & 0xfffff) * 0x1_0000_0000 + ((random.uint32() & ~1) >>> 0) + lowestBit
      if (id > 1 && !this.#byId.has(id)) return id
    }
  }

  #nowMinutes(): number {
    return Math.floor(this.#parts.platform.clock.nowMs() / MINUTE_MS)
  }
}

function isNamed(id: number): boolean {
  return id % 2 === 0
}

function checkName(name: string): void {
  const bytes = new TextEncoder().encode(name).length
  if (bytes >= 1 && bytes <= PRODUCER_NAME_BYTES_MAX) return
  throw new MillraceError('bad_request', `the name of a producer has 1 to ${PRODUCER_NAME_BYTES_MAX} bytes, not ${bytes}`)
}

function fenced(why: string): MillraceError {
  return new MillraceError('fenced', `${why}. Stop this publisher: a new one has to be opened`)
}

function outOfOrder(id: number, sequence: number, why: string): MillraceError {
  return new MillraceError('out_of_order_sequence', `sequence ${sequence} of producer ${id} is not the next one: ${why}`)
}
