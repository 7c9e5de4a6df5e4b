// hot path (packages/streams/test/throughput.mjs)
import { type Message, type StoredMessage, tombstone, topicAddress } from '@millrace/client'
import type { FlowRecord, MessageOrigin } from '../flow-record.ts'
import { LaneTimes } from '../operators/lane-times.ts'
import type { LaneContext, Operator } from '../operators/operator.ts'
import { LaneStore } from '../state/lane-store.ts'
import { UndoLog } from '../state/undo-log.ts'
import { placeText, type RecordPlace, StreamError, textOf } from '../stream-error.ts'
import type { OperatorNode } from '../topology/topology.ts'
import type { Application } from './application.ts'
import { BatchOutputs } from './batch-outputs.ts'
import { deadLetter, failureText } from './failures.ts'
import { BATCH_BYTES } from './limits.ts'
import { type Progress, progressText } from './progress.ts'
import { BadMessage, type SourceItem, type SourceReader } from './source-reader.ts'

interface OperatorCounts {
  readonly operator: Operator
  readonly received: number
  readonly emitted: number
  readonly late: number
}

/**
 * A lane at work: its operators, their state, and the batch under way, which is committed as a whole or rolled back as a whole. Made by
 * `restoreLane`.
 */
export class LaneTask implements LaneContext {
  readonly partition: number
  readonly undo: UndoLog = new UndoLog()
  readonly outputs: BatchOutputs
  readonly times: LaneTimes
  running: OperatorNode | undefined
  readonly operators: Map<OperatorNode, Operator> = new Map()
  readonly readers: SourceReader[] = []
  readonly #application: Application
  readonly #stores = new Map<string, LaneStore>()
  /** The commit that state and positions are from; and the one that may have followed it. */
  #committed: string
  #attempted: string | undefined
  /** Up to where it may go, for now; and whether it has come there. */
  #horizonMs = Infinity
  isHeldUp = false
  /** What the batch under way has taken, left out, and from where the last record came. */
  #taken = 0
  #skipped = 0
  #deadLettered = 0
  #last: SourceReader | undefined
  #countsBefore: OperatorCounts[] = []
  #recordsMax: number
  /** Something must be committed even though nothing was read. */
  #isUnsaved: boolean

  /** @param isUnsaved whether positions were chosen that no progress has yet */
  constructor(application: Application, partition: number, progress: Progress, isUnsaved: boolean) {
    this.#application = application
    this.partition = partition
    this.times = new LaneTimes(progress.times, this.undo)
    this.outputs = new BatchOutputs(application.settings.serializer, application.partitions)
    this.#committed = progress.id
    this.#recordsMax = application.settings.batchRecords
    this.#isUnsaved = isUnsaved
  }

  // ---- LaneContext ----------------------------------------------------------------------------------------------------

  store(name: string): LaneStore {
    let store = this.#stores.get(name)
    if (store === undefined) {
      const { settings } = this.#application
      const place = { application: settings.name, store: name, partition: this.partition }
      store = new LaneStore(name, settings.openStore(place), this.undo)
      this.#stores.set(name, store)
    }
    return store
  }

  guarded(result: FlowRecord, emit: () => void): void {
    const { onFailure, name } = this.#application.settings
    if (onFailure === 'fail') return emit()
    const marks = [this.undo.mark, this.outputs.mark] as const
    try {
      emit()
    } catch (error) {
      this.undo.backTo(marks[0])
      this.outputs.backTo(marks[1])
      this.#skipped++
      const operator = this.running!.name
      const what = `${operator} failed at the result for key ${JSON.stringify(result.key)}: ${textOf(error)}`
      this.#application.skipped(new StreamError(name, what, { operator, cause: error }))
    }
  }

  // ---- the batch ------------------------------------------------------------------------------------------------------

  get stores(): Iterable<LaneStore> {
    return this.#stores.values()
  }

  get taken(): number {
    return this.#taken
  }

  /** Whether there is something to commit. */
  get isDirty(): boolean {
    return this.#taken > 0 || this.undo.mark > 0 || !this.outputs.isEmpty || this.#isUnsaved
  }

  /** Whether `fill` would take something. @throws what made reading impossible */
  get isReady(): boolean {
    this.#horizonMs = this.#application.alignment.horizonMs(this.partition)
    return this.#next() !== undefined
  }

  /** Processes what is here, up to the size of a batch. @throws StreamError when the policy is to fail: what came before is in the batch */
  async fill(): Promise<void> {
    if (this.#countsBefore.length === 0) this.#countsBefore = this.#operatorCounts()
    this.#horizonMs = this.#application.alignment.horizonMs(this.partition)
    while (this.#taken < this.#recordsMax && this.outputs.bytes < BATCH_BYTES) {
      const reader = this.#next()
      if (reader === undefined) return
      this.#process(reader, reader.peek()!)
      const waiting = this.outputs.settled()
      if (waiting !== undefined) await this.#encoded(waiting, reader)
      this.#took(reader)
    }
  }

  /** Leaves out the one record of a batch that was rolled back. @throws StreamError when the policy is to fail */
  leaveOut(error: unknown): void {
    const reader = this.#last!
    const place = placeOf(reader, reader.peek()!)
    const what = `the results of ${placeText(place)} cannot be committed: ${textOf(error)}`
    this.#leftOut(reader, new StreamError(this.#application.settings.name, what, { place, cause: error }))
    this.#took(reader)
  }

  /** Halves what batches may hold. With each commit it doubles again. */
  shrink(): void {
    this.#recordsMax = Math.max(1, Math.ceil(Math.min(this.#recordsMax, this.#taken) / 2))
  }

  /** Event time goes on. @throws StreamError */
  idle(byMs: number): void {
    try {
      for (const operator of this.operators.values()) if (operator.idleMs <= byMs) operator.idle(byMs)
    } catch (error) {
      throw this.#failure(error, undefined)
    }
  }

  /** As `Lane.headMs`. */
  get headMs(): number {
    let leastMs = Infinity
    for (const reader of this.readers) {
      if (reader.source.declaration !== undefined) leastMs = Math.min(leastMs, reader.headMs)
    }
    return leastMs
  }

  get idleMs(): number {
    let least = Infinity
    for (const operator of this.operators.values()) least = Math.min(least, operator.idleMs)
    return least
  }

  // ---- commit ---------------------------------------------------------------------------------------------------------

  /** Progress, changes of state and results, as one. @throws MillraceError, StreamError for state that cannot be stored */
  async commit(token: Message): Promise<void> {
    const { settings, topology } = this.#application
    const id = this.#application.nextId()
    const positions = Object.fromEntries(this.readers.map((reader) => [reader.source.topic, reader.position]))
    this.#attempted = id
    await settings.client.transaction((transaction) => {
      this.outputs.publish(transaction)
      for (const store of this.#stores.values()) {
        const destination = topicAddress(topology.stateTopic(store.name))
        for (const key of store.changedKeys()) {
          transaction.publish(destination, this.#serialized(store, key), { key, partition: this.partition })
        }
      }
      transaction.ack(token)
      const progress = progressText({ id, positions, times: this.times.toJSON() })
      transaction.publish(`queue:${topology.laneQueue(this.partition)}`, progress)
    })
    this.#accept()
  }

  /**
   * Whether its state is that of this progress, or can be made so: what was not known to be committed is by now known to be, or is
   * rolled back.
   */
  continues({ id }: Progress): boolean {
    if (id === this.#attempted) this.#accept()
    else if (id === this.#committed) this.rollback()
    else return false
    return true
  }

  rollback(): void {
    this.undo.backTo(0)
    this.outputs.backTo(0)
    for (const store of this.#stores.values()) store.committed()
    for (const reader of this.readers) reader.rollback()
    for (const { operator, ...counts } of this.#countsBefore) Object.assign(operator, counts)
    this.#beginBatch()
  }

  close(): void {
    for (const reader of this.readers) reader.close()
    for (const store of this.#stores.values()) store.close()
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  /** The reader with the earliest record, unless one that is behind has nothing here yet. */
  #next(): SourceReader | undefined {
    let next: SourceReader | undefined
    let earliestMs = Infinity
    for (const reader of this.readers) {
      const item = reader.peek()
      if (item === undefined) {
        if (reader.isBehind) return undefined
      } else if (next === undefined || item.timestampMs < earliestMs) {
        next = reader
        earliestMs = item.timestampMs
      }
    }
    this.isHeldUp = next?.source.declaration !== undefined && earliestMs > this.#horizonMs
    return this.isHeldUp ? undefined : next
  }

  #process(reader: SourceReader, item: SourceItem): void {
    const marks = [this.undo.mark, this.outputs.mark] as const
    this.running = undefined
    try {
      if (item instanceof BadMessage) throw item.error
      this.operators.get(reader.source.node)!.receive(item, 0)
    } catch (error) {
      this.undo.backTo(marks[0])
      this.outputs.backTo(marks[1])
      this.#leftOut(reader, this.#failure(error, placeOf(reader, item)))
    }
  }

  #took(reader: SourceReader): void {
    reader.take()
    this.#taken++
    this.#last = reader
  }

  /** An asynchronous schema refused: whatever the policy, that ends the application, since effects of other records may depend on it. */
  async #encoded(waiting: Promise<unknown>, reader: SourceReader): Promise<void> {
    const place = placeOf(reader, reader.peek()!)
    try {
      await waiting
    } catch (error) {
      this.rollback()
      throw this.#failure(error, place)
    }
  }

  /** The next item of that reader, if the policy allows. @throws StreamError */
  #leftOut(reader: SourceReader, failure: StreamError): void {
    const { onFailure } = this.#application.settings
    if (onFailure === 'fail') throw failure
    if (onFailure === 'skip') this.#skipped++
    else {
      this.#deadLettered++
      deadLetter(this.outputs, onFailure.deadLetter, messageOf(reader.peek()!), failure)
    }
    this.#application.skipped(failure)
  }

  #failure(error: unknown, place: RecordPlace | undefined): StreamError {
    const { name } = this.#application.settings
    const operator = this.running?.name
    const what =
      place === undefined ? `${operator ?? 'an operator'} failed: ${textOf(error)}` : failureText(place, operator, textOf(error))
    return new StreamError(name, what, {
      ...(operator === undefined ? {} : { operator }),
      ...(place === undefined ? {} : { place }),
      cause: error,
    })
  }

  #serialized(store: LaneStore, key: string): Uint8Array | typeof tombstone {
    const value = store.get(key)
    if (value === undefined) return tombstone
    const { serializer, name } = this.#application.settings
    try {
      return serializer.serialize(value)
    } catch (error) {
      const what = `the state of ${store.name} for key ${JSON.stringify(key)} cannot be stored: ${textOf(error)}`
      throw new StreamError(name, what, { operator: store.name, cause: error })
    }
  }

  #accept(): void {
    this.#application.committed(this.#taken, this.#skipped, this.#deadLettered)
    this.#committed = this.#attempted!
    this.#recordsMax = Math.min(this.#application.settings.batchRecords, this.#recordsMax * 2)
    this.#isUnsaved = false
    for (const store of this.#stores.values()) store.committed()
    for (const reader of this.readers) reader.commit()
    this.undo.clear()
    this.outputs.backTo(0)
    this.#beginBatch()
  }

  #beginBatch(): void {
    this.#attempted = undefined
    this.#taken = this.#skipped = this.#deadLettered = 0
    this.#countsBefore = []
  }

  #operatorCounts(): OperatorCounts[] {
    return [...this.operators.values()].map((operator) => {
      const { received, emitted, late } = operator
      return { operator, received, emitted, late }
    })
  }
}

function placeOf(reader: SourceReader, item: SourceItem): RecordPlace {
  const { partition, offset } = messageOf(item)
  return { topic: reader.source.topic, partition, offset }
}

function messageOf(item: SourceItem): StoredMessage {
  return item instanceof BadMessage ? item.message : (item.origin as MessageOrigin).message
}
