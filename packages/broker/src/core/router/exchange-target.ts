/** An exchange as a destination: each record of a batch goes where bindings lead it. */
import { exchangeAddress, namesProducer, RecordCursor } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { checkAdmission, checkBatch, checkBatchSize } from '../admission.ts'
import type { Destination, KeyCheck, RefusedRecords } from '../broker.ts'
import type { CoreRoute } from './core-route.ts'
import type { Exchange } from './exchange.ts'
import type { RoutesHome } from './exchange-routes.ts'
import { RoutedRecord } from './routed-records.ts'
import type { RoutedMessage } from './router.ts'
import { type Run, rewritten, runsOf } from './runs.ts'

/** Where records that an exchange gave away are, publishers are not told: there may be many places. */
export const NOT_TOLD = -1

export class ExchangeTarget implements Destination {
  readonly kind = 'exchange'
  readonly partitions = 1
  readonly duplicates = undefined
  readonly placed = undefined
  readonly name: string
  refused: readonly RefusedRecords[] | undefined
  readonly #home: RoutesHome
  /** Undefined: the default exchange. */
  readonly #exchange: Exchange | undefined
  readonly #key: string | undefined
  readonly #checkKey: KeyCheck | undefined

  /** @param key of all messages; undefined: each has its own */
  constructor(home: RoutesHome, exchange: Exchange | undefined, key: string | undefined, checkKey?: KeyCheck) {
    this.#home = home
    this.#exchange = exchange
    this.name = exchange?.name ?? ''
    this.#key = key
    this.#checkKey = checkKey
  }

  get address(): string {
    return exchangeAddress(this.name, this.#key)
  }

  publish(_partition: number, batch: Uint8Array): number {
    const runs = this.routableRuns(batch)
    const refused = publishRuns(runs)
    if (refused.length > 0) throw refused[0]!.error
    return NOT_TOLD
  }

  publishWhatFits(_partition: number, batch: Uint8Array): number {
    this.refused = undefined
    const forbidden: RefusedRecords[] = []
    const runs = this.#runs(batch, (position, error) => forbidden.push({ position, records: 1, error }))
    const refused = [...forbidden, ...publishRuns(runs)]
    for (const { route, positions } of runs) if (route.isNowhere) refused.push(...recordsAt(positions, this.#unroutable()))
    if (refused.length > 0) this.refused = refused.toSorted((a, b) => a.position - b.position)
    return NOT_TOLD
  }

  publishLater(_partition: number, batch: Uint8Array, dueMs: number): number {
    const { shard } = this.#home
    if (this.#exchange === undefined) return this.#publishLaterByName(batch, dueMs)
    this.#checkLife()
    const plain = this.#check(batch)
    this.#checkKeys(plain)
    const dated = rewritten(plain, { exchange: this.name, key: this.#key, hasWaited: true }, shard.crc32c)
    checkBatchSize(dated.length, shard.limits.batchBytesMax)
    return shard.schedule.add(this.#exchange.schedule, -1, dated, dueMs)
  }

  partitionFor(): number {
    return -1
  }

  /** Where the records of a batch go, all of which go somewhere. @throws as `publish` */
  routableRuns(batch: Uint8Array): readonly Run[] {
    const runs = this.#runs(batch)
    const nowhere = runs.filter(({ route }) => route.isNowhere)
    if (nowhere.length === 0) return runs
    publishRuns(nowhere)
    throw this.#unroutable()
  }

  /** @param onForbidden told of what the check of keys refuses, which is left out; without it, that is thrown */
  #runs(batch: Uint8Array, onForbidden?: (position: number, error: MillraceError) => void): readonly Run[] {
    this.#checkLife()
    const plain = this.#check(batch)
    const { shard, default: byName } = this.#home
    const source = this.#exchange?.routes ?? byName
    const to = { exchange: this.#exchange?.name, key: this.#exchange === undefined ? undefined : this.#key, routedBy: this.#key }
    const route = (message: RoutedMessage, position: number): CoreRoute | undefined => {
      const error = this.#forbids(message.key)
      if (error === undefined) return source.route(message)
      if (onForbidden === undefined) throw error
      onForbidden(position, error)
      return undefined
    }
    return runsOf(plain, to, route, shard.limits.batchBytesMax, shard.crc32c)
  }

  #forbids(key: string): MillraceError | undefined {
    if (this.#checkKey === undefined) return undefined
    try {
      this.#checkKey(this.name, key)
      return undefined
    } catch (error) {
      if (error instanceof MillraceError) return error
      throw error
    }
  }

  /** @param batch not compressed */
  #checkKeys(batch: Uint8Array): void {
    if (this.#checkKey === undefined) return
    const message = new RoutedRecord()
    for (const record = new RecordCursor(batch); record.next();)
      this.#checkKey(this.name, message.show(record, this.#key, false).key)
  }

  /** One message for one queue, or several with one key. */
  #publishLaterByName(batch: Uint8Array, dueMs: number): number {
    const [run, ...others] = this.routableRuns(batch)
    if (others.length > 0)
      throw new MillraceError('bad_request', 'messages for several queues cannot be scheduled together: publish each by itself')
    return run!.route.publishLater(run!.batch, dueMs)[0]!
  }

  /** @returns the batch, not compressed */
  #check(batch: Uint8Array): Uint8Array {
    const { shard } = this.#home
    checkAdmission(shard)
    checkBatchSize(batch.length, shard.limits.batchBytesMax)
    const plain = checkBatch(shard, batch, false)!
    if (!namesProducer(batch)) return plain
    throw new MillraceError(
      'bad_request',
      `a batch of an idempotent producer is for one partition, and ${this.address} may lead to many: send it without producer`,
    )
  }

  #checkLife(): void {
    const { refusal } = this.#home.shard
    if (refusal !== undefined) throw refusal
    if (this.#exchange?.deleted === true) throw new MillraceError('not_found', `${this.address} was deleted`)
  }

  #unroutable(): MillraceError {
    return new MillraceError('unroutable', `${this.address} has no binding that takes the message: bind a queue or topic to it`)
  }
}

/** @returns what queues refused, though others may have got it */
function publishRuns(runs: readonly Run[]): RefusedRecords[] {
  const refused: RefusedRecords[] = []
  for (const { route, batch, positions } of runs) {
    let from = positions.length
    let error: MillraceError | undefined
    for (const each of route.publish(batch) ?? []) {
      if (each.position >= from) continue
      from = each.position
      error = each.error
    }
    if (error !== undefined) refused.push(...recordsAt(positions.slice(from), error))
  }
  return refused
}

/** Positions as runs of neighbours. */
function recordsAt(positions: readonly number[], error: MillraceError): RefusedRecords[] {
  const refused: RefusedRecords[] = []
  for (let n = 0; n < positions.length;) {
    const first = n
    while (positions[++n] === positions[n - 1]! + 1);
    refused.push({ position: positions[first]!, records: n - first, error })
  }
  return refused
}
