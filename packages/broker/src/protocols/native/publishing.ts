// hot path (bench/src/native.ts)
import {
  type FrameBody,
  frameSchemas,
  type FrameReader,
  type FrameWriter,
  ProtocolError,
  PublishFrame,
  writeFrame,
} from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Destination, DuplicateRecord, KeyCheck, PlacedRun, RefusedRecords } from '../../core/broker.ts'
import { limits } from './limits.ts'
import { TicketRing } from './ticket-ring.ts'
import type { Ticket } from '../commit-waiters.ts'

/** What somebody may publish: where to, and with which keys. */
export interface PublishAccess {
  /** @throws MillraceError `forbidden` */
  readonly authorize: (destination: string) => void
  readonly checkKey?: KeyCheck
}

interface Publisher {
  readonly name: string
  readonly create: boolean
  readonly checkKey: KeyCheck | undefined
  /** The error of `open` where it failed. */
  destination: Destination | MillraceError
  /** Partitions the client was told of. */
  partitionsTold: number
}

const REFUSED = Number.NaN

/** The publishing half of a session: publishers, and the publishes whose outcome the client was not told yet. */
export class Publishing {
  readonly #broker: Broker
  readonly #writer: FrameWriter
  readonly #publishers: (Publisher | undefined)[] = []
  #publisherCount = 0
  readonly #pending = new TicketRing()
  readonly #frame = new PublishFrame()
  /** Why publishes were refused, or their records from a position on, by ordinal; told just before the confirm that counts them. */
  readonly #refusals = new Map<number, readonly RefusedRecords[]>()
  /** What was stored before, by ordinal; told just before the confirm that counts it. */
  readonly #duplicates = new Map<number, readonly DuplicateRecord[]>()
  /** Where records are that are not side by side in the partition that was named, by ordinal; told just before the confirm that counts it. */
  readonly #placed = new Map<number, readonly PlacedRun[]>()
  /** Ordinal of the oldest publish in `#pending`, and of the next to come. */
  #oldest = 0
  #next = 0
  #lastTicket: Ticket = 0

  constructor(broker: Broker, writer: FrameWriter) {
    this.#broker = broker
    this.#writer = writer
  }

  get waiting(): boolean {
    return this.#pending.length > 0
  }

  /** Resolves a destination for a number of the client's choice. Failure is not the connection's: it is told and its publishes are refused. */
  open(number: number, name: string, create: boolean, access: PublishAccess): void {
    if (number >= limits.publishersMax) {
      throw new ProtocolError(
        `Publisher number ${number}; they go from 0 to ${limits.publishersMax - 1}. Release those not needed.`,
      )
    }
    if (this.#publishers[number] !== undefined) throw new ProtocolError(`Publisher number ${number} is open already.`)
    const { checkKey } = access
    const publisher: Publisher = { name, create, checkKey, destination: this.#resolve(name, create, access), partitionsTold: 0 }
    this.#publishers[number] = publisher
    this.#publisherCount++
    if (publisher.destination instanceof MillraceError) {
      writeFrame(this.#writer, 'openFailed', { publisher: number, reason: reason(publisher.destination) })
    } else this.#tellPartitions(number, publisher, publisher.destination)
  }

  release(number: number): void {
    if (this.#publishers[number] === undefined) return
    this.#publishers[number] = undefined
    if (--this.#publisherCount === 0) this.#publishers.length = 0
  }

  /** Takes the `publish` frame that `reader` stands on. @throws ProtocolError */
  publish(reader: FrameReader): void {
    const frame = this.#frame
    frame.read(reader)
    this.#publish(frame.publisher, frame.partition, 0, frame.batch)
  }

  /** Its confirm carries the id of its first message instead of an offset. @throws ProtocolError */
  publishLater(frame: FrameBody<'publishLater'>): void {
    this.#publish(frame.publisher, frame.partition, frame.dueMs, frame.batch)
  }

  /** @param dueMs 0: now */
  #publish(number: number, partition: number, dueMs: number, batch: Uint8Array): void {
    const publisher = this.#publishers[number]
    if (publisher === undefined) throw new ProtocolError(`\`publish\` by publisher ${number}, which is not open.`)
    try {
      const baseOffset = this.#append(publisher, partition, dueMs, batch)
      const { duplicates, placed, refused } = publisher.destination as Destination
      if (duplicates !== undefined && dueMs === 0) this.#duplicates.set(this.#next, duplicates)
      if (placed !== undefined && dueMs === 0) this.#placed.set(this.#next, placed)
      if (refused !== undefined && dueMs === 0) this.#refusals.set(this.#next, refused)
      this.#lastTicket = this.#broker.ticket()
      this.#pending.push(this.#lastTicket, baseOffset)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      // It is told after those sent before it, so it takes the ticket of the last of them.
      this.#refusals.set(this.#next, [{ position: 0, error }])
      this.#pending.push(this.#lastTicket, REFUSED)
    }
    this.#next++
  }

  /** Tells what became durable: refusals, then one confirm (more when it would get too long). */
  confirm(committed: Ticket): void {
    let left = this.#pending.durable(committed)
    while (left > 0) {
      const count = Math.min(left, limits.confirmCountMax)
      if (this.#refusals.size > 0) this.#tellRefusals(count)
      if (this.#duplicates.size > 0) this.#tellDuplicates(count)
      if (this.#placed.size > 0) this.#tellPlaces(count)
      const writer = this.#writer
      writer.begin(frameSchemas.confirm.opcode)
      writer.u32(count)
      for (let n = 0; n < count; n++) writer.f64(this.#pending.shift())
      writer.end()
      this.#oldest += count
      left -= count
    }
  }

  /** Tells clients about partitions that were added while running, so that keys find them. */
  tellGrowth(): void {
    for (let number = 0; number < this.#publishers.length; number++) {
      const publisher = this.#publishers[number]
      if (publisher === undefined || publisher.destination instanceof MillraceError) continue
      if (publisher.destination.partitions !== publisher.partitionsTold)
        this.#tellPartitions(number, publisher, publisher.destination)
    }
  }

  /** Refuses from now on what `authorize` refuses. */
  review(authorize: (destination: string) => void): void {
    for (const [number, publisher] of this.#publishers.entries()) {
      if (publisher === undefined || publisher.destination instanceof MillraceError) continue
      try {
        authorize(publisher.name)
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        publisher.destination = error
        writeFrame(this.#writer, 'openFailed', { publisher: number, reason: reason(error) })
      }
    }
  }

  #append(publisher: Publisher, partition: number, dueMs: number, batch: Uint8Array): number {
    const destination = publisher.destination
    if (destination instanceof MillraceError) throw destination
    try {
      return publishTo(destination, partition, dueMs, batch)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'not_found') throw error
      // It was deleted, and perhaps created again since.
      const again = this.#broker.destination(publisher.name, publisher.create, publisher.checkKey)
      publisher.destination = again
      return publishTo(again, partition, dueMs, batch)
    }
  }

  #resolve(name: string, create: boolean, { authorize, checkKey }: PublishAccess): Destination | MillraceError {
    try {
      authorize(name)
      return this.#broker.destination(name, create, checkKey)
    } catch (error) {
      if (error instanceof MillraceError) return error
      throw error
    }
  }

  #tellPartitions(number: number, publisher: Publisher, destination: Destination): void {
    publisher.partitionsTold = destination.partitions
    writeFrame(this.#writer, 'opened', { publisher: number, partitions: destination.partitions })
  }

  #tellDuplicates(count: number): void {
    for (const [publish, records] of this.#duplicates) {
      if (publish >= this.#oldest + count) return
      writeFrame(this.#writer, 'duplicates', { publish, records })
      this.#duplicates.delete(publish)
    }
  }

  #tellPlaces(count: number): void {
    for (const [publish, runs] of this.#placed) {
      if (publish >= this.#oldest + count) return
      writeFrame(this.#writer, 'placed', { publish, runs })
      this.#placed.delete(publish)
    }
  }

  #tellRefusals(count: number): void {
    for (const [ordinal, refused] of this.#refusals) {
      if (ordinal >= this.#oldest + count) return
      for (const { position, records, error } of refused) {
        const which = records === undefined ? {} : { records }
        writeFrame(this.#writer, 'refused', { publish: ordinal, position, reason: { ...reason(error), ...which } })
      }
      this.#refusals.delete(ordinal)
    }
  }
}

function publishTo(destination: Destination, partition: number, dueMs: number, batch: Uint8Array): number {
  return dueMs === 0 ? destination.publishWhatFits(partition, batch) : destination.publishLater(partition, batch, dueMs)
}

export function reason(error: MillraceError): { code: string; message: string } {
  return { code: error.code, message: error.message }
}
