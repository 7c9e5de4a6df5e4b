// hot path (bench/src/native.ts)
import { type RecordBatchBuilder, setBatchProducer } from '@millrace/wire'
import type { MillraceError } from './errors.ts'
import type { Link } from './link.ts'
import type { SentBatch } from './sent-batch.ts'

const EPOCH_MAX = 0x7fff
const SEQUENCE_MASK = 0x7fffffff

/** What the producer asks of its publisher. */
export interface ProducedFor {
  readonly destination: string
  /** These batches were not stored, and will not be. */
  failed(batches: readonly SentBatch[], error: MillraceError): void
}

/**
 * Gives each batch of one publisher its place in the sequence of its partition, so that the broker stores it once however often it is sent.
 *
 * A batch that is refused leaves a gap, and the broker refuses those that were sent after it to the same partition. Then the producer
 * *renews*: it holds back what is new until everything sent has its outcome, begins the next epoch, and sends again, in order, what was refused
 * for the gap alone.
 *
 * new -> opening -> ready <-> renewing; a named one that somebody else has taken over is lost.
 */
export class IdempotentProducer {
  readonly #link: Link
  readonly #publisher: ProducedFor
  /** Undefined for an anonymous one, which chooses its id and its epochs itself. */
  readonly #name: string | undefined
  #state: 'new' | 'opening' | 'ready' | 'renewing' | 'lost' = 'new'
  #lost: MillraceError | undefined
  #id = -1
  #epoch = 0
  /** Next sequence, by partition. */
  #sequences: number[] = []
  /** Batches under way. */
  #sent = 0
  /** Refused for a gap before them; and those that came since. */
  #again: SentBatch[] = []
  #held: SentBatch[] = []

  constructor(link: Link, publisher: ProducedFor, name: string | undefined) {
    this.#link = link
    this.#publisher = publisher
    this.#name = name
    if (name === undefined) this.#newAnonymousId()
  }

  /** Writes the place of the builder's batch into it, if it is known now. @returns the sequence, or -1 */
  stamp(builder: RecordBatchBuilder, partition: number): number {
    if (this.#state !== 'ready') return -1
    const sequence = this.#take(partition, builder.records)
    builder.setProducer(this.#id, this.#epoch, sequence)
    return sequence
  }

  send(batch: SentBatch): void {
    if (batch.sequence >= 0) {
      this.#sent++
      this.#link.send(batch)
    } else if (this.#lost !== undefined) this.#publisher.failed([batch], this.#lost)
    else {
      this.#held.push(batch)
      if (this.#state === 'new') void this.#open()
    }
  }

  confirmed(): void {
    this.#sent--
    this.#outcome()
  }

  /** @returns whether the batch is sent again and so has no outcome yet */
  refused(batch: SentBatch, { code }: MillraceError): boolean {
    this.#sent--
    if (this.#link.closed) return false
    const isGap = code === 'out_of_order_sequence'
    if (isGap) this.#again.push(batch)
    if (code !== 'fenced' && this.#state === 'ready') {
      // One whose outcome is unknown may have used its sequence up.
      if (!isGap && code !== 'outcome_unknown' && this.#isLast(batch)) this.#sequences[batch.partition] = batch.sequence
      else this.#state = 'renewing'
    }
    this.#outcome()
    return isGap
  }

  /** Nothing can be sent any more. @returns what waited */
  takeHeld(): readonly SentBatch[] {
    const held = [...this.#again, ...this.#held]
    this.#again = []
    this.#held = []
    return held
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #outcome(): void {
    if (this.#state === 'renewing' && this.#sent === 0) void this.#renew()
  }

  #isLast(batch: SentBatch): boolean {
    return this.#sequences[batch.partition] === ((batch.sequence + batch.messages) & SEQUENCE_MASK)
  }

  async #open(): Promise<void> {
    this.#state = 'opening'
    try {
      await this.#openNamed({})
    } catch (error) {
      this.#state = 'new'
      this.#publisher.failed(this.takeHeld(), error as MillraceError)
    }
  }

  async #renew(): Promise<void> {
    if (this.#name === undefined) {
      if (this.#epoch < EPOCH_MAX) this.#epoch++
      else this.#newAnonymousId()
      return this.#begin()
    }
    this.#state = 'opening'
    try {
      await this.#openNamed({ current: { producerId: this.#id, epoch: this.#epoch } })
    } catch (error) {
      // Going on under the name could fence whoever has it by now.
      this.#state = 'lost'
      this.#lost = error as MillraceError
      this.#publisher.failed(this.takeHeld(), this.#lost)
    }
  }

  async #openNamed(more: { readonly current?: { readonly producerId: number; readonly epoch: number } }): Promise<void> {
    const params = { destination: this.#publisher.destination, name: this.#name, ...more }
    // Said twice, the second would find an epoch that is not the current one.
    const { producerId, epoch } = await this.#link.call('producer.open', params, more.current === undefined)
    this.#id = producerId as number
    this.#epoch = epoch as number
    this.#begin()
  }

  #begin(): void {
    this.#state = 'ready'
    this.#sequences = []
    for (const batch of this.takeHeld()) {
      batch.sequence = this.#take(batch.partition, batch.messages)
      setBatchProducer(batch.bytes, this.#id, this.#epoch, batch.sequence, this.#link.crc32c)
      this.send(batch)
    }
  }

  /** Odd: ids of named producers are even. */
  #newAnonymousId(): void {
    const { platform } = this.#link
    this.#id = Math.floor(platform.random() * 2 ** 51) * 2 + 1
    this.#epoch = 0
    this.#state = 'ready'
  }

  #take(partition: number, messages: number): number {
    const sequence = this.#sequences[partition] ?? 0
    this.#sequences[partition] = (sequence + messages) & SEQUENCE_MASK
    return sequence
  }
}
