/** Writes dead letters: which records of a batch go where, with the headers that tell of their death. */
import {
  type DeathEntry,
  EXPIRES_AT_HEADER,
  messageProperties,
  RecordBatchBuilder,
  type RecordHeader,
  RecordReader,
  RETRY_HEADER,
} from '@millrace/wire'
import { unreachable } from '../../base/assert.ts'
import { KIB } from '../../base/units.ts'
import type { DeathFact, DeliveryPolicy } from '../broker.ts'
import { parseAddress } from '../names.ts'
import { moreKeysIn } from '../router/more-keys.ts'
import { prepareWaits } from '../router/waits.ts'
import type { PreparedPublish } from '../schedule/schedule-target.ts'
import type { Shard } from '../shard.ts'
import { appendShared, type Place, sharedBytes } from '../shared-append.ts'
import { historyHeader, historyOf, nameIn, withDeath } from './death-history.ts'
import { DEAD_LETTER_HEADERS, headerText, retryOfTheDead, textHeader, withoutDeath } from './dead-letter-headers.ts'
import { type LetterBox, type Mailing, NOWHERE, type Way } from './letter-box.ts'
import type { Death } from './ranges.ts'

/** A message that died so often goes round in circles: it is not moved on. */
export const DEATHS_MAX = 32
/** A move is cut off after a batch of this size, to share the turn. */
const MOVE_BYTES = 128 * KIB
/** What does not go for a dead letter under this name. */
const ENDS_WITH_LIFE: ReadonlySet<string> = new Set([EXPIRES_AT_HEADER, RETRY_HEADER])
const decoder = new TextDecoder()

/** What is to be said of messages that die together. */
export interface Obituary {
  readonly source: string
  readonly form: Pick<DeliveryPolicy, 'deadLetterContent' | 'deadLetterHeaders'>
  readonly partition: number
  readonly death: Death
  readonly attempts: number
  /** What the consumer said last, or ''. */
  readonly error: string
}

/** Records of a stored batch. */
export interface DeadRange {
  readonly batch: Uint8Array
  /** Of the batch; -1 when its messages were not stored. */
  readonly baseOffset: number
  /** Positions are `baseOffset` and on; without it, 0 and on. */
  readonly first: number
  readonly last: number
}

/** Letters side by side that have the same fate. */
export interface WrittenLetters {
  readonly letters: readonly Letter[]
  /** The last of the range that is done; below the first when that one died too often. */
  readonly last: number
  /** Whether nothing takes them. */
  readonly areDropped: boolean
}

export interface Letter {
  readonly places: readonly Place[]
  /** What is to wait for delayed exchanges. */
  readonly waits: readonly PreparedPublish[]
  readonly batch: Uint8Array
}

export class LetterWriter {
  readonly #shard: Shard
  readonly #builder: RecordBatchBuilder

  constructor(shard: Shard) {
    this.#shard = shard
    this.#builder = new RecordBatchBuilder(4 * KIB, shard.crc32c)
  }

  /** @throws BatchFormatError, and as `prepareWaits` */
  write(obituary: Obituary, { batch, baseOffset, first, last }: DeadRange, box: LetterBox): WrittenLetters {
    const builder = this.#builder
    const reader = new RecordReader(batch)
    const nowMs = this.#shard.platform.clock.nowMs()
    const letters: Letter[] = []
    let way = NOWHERE
    let areDropped: boolean | undefined
    let end = last
    const finish = (): void => {
      if (builder.records > 0) letters.push(this.#letter(way, builder.finish().slice()))
    }
    for (let bytes = 0; reader.next();) {
      const position = Math.max(baseOffset, 0) + reader.offsetDelta
      if (position < first) continue
      if (position > last) break
      end = position - 1
      if (bytes >= MOVE_BYTES || (!box.keepsHistory && deathsOf(reader.headers) >= DEATHS_MAX)) break
      const { key, headers, way: to } = this.#mail(obituary, reader, baseOffset < 0 ? -1 : position, nowMs, box)
      areDropped ??= to === NOWHERE
      if (areDropped !== (to === NOWHERE)) break
      end = last
      if (areDropped) continue
      if (to !== way) finish()
      way = to
      const before = builder.bytes
      builder.append(nowMs, key, isCopy(obituary) ? reader.value : null, headers)
      bytes += builder.bytes - before
    }
    finish()
    return { letters, last: end, areDropped: areDropped === true }
  }

  #letter({ places, waits }: Way, batch: Uint8Array): Letter {
    return { places, batch, waits: waits === undefined ? [] : prepareWaits(this.#shard, waits, batch) }
  }

  #mail(obituary: Obituary, reader: RecordReader, offset: number, nowMs: number, box: LetterBox): Mailing {
    const { headers, timestampMs } = reader
    const { deadLetterHeaders = {} } = obituary.form
    const before = historyOf(headers)
    const keepsHistory = box.keepsHistory || before.length > 0
    const history = keepsHistory ? withDeath(before, deathOf(obituary, reader.key, headers, timestampMs, nowMs)) : before
    const kept = isCopy(obituary) ? withoutDeath(headers) : []
    const told = [
      ...kept.filter(({ key }) => !ENDS_WITH_LIFE.has(key) && !Object.hasOwn(deadLetterHeaders, key)),
      ...(isCopy(obituary) ? retryOfTheDead(headers) : []),
      ...deathHeaders(obituary, offset, nowMs, timestampMs, deathsOf(headers) + 1),
      ...(keepsHistory ? [historyHeader(history)] : []),
    ]
    return box.mail({ source: obituary.source, key: isCopy(obituary) ? reader.key : null, headers: told, history })
  }
}

function isCopy({ form }: Obituary): boolean {
  return form.deadLetterContent !== 'headers'
}

/** What letters take in a commit, at most. */
export function lettersBytes(letters: readonly Letter[]): number {
  let bytes = 0
  for (const { places, waits, batch } of letters) {
    bytes += sharedBytes(places, batch)
    for (const wait of waits) bytes += wait.bytes
  }
  return bytes
}

/** There is room for `lettersBytes` in the open commit. */
export function appendLetters(shard: Shard, letters: readonly Letter[]): void {
  for (const { places, waits, batch } of letters) {
    if (places.length > 0) appendShared(shard, places, batch)
    for (const wait of waits) wait.append()
  }
}

/** Somebody else may have written the header: what is no count counts as none. */
function deathsOf(headers: readonly RecordHeader[]): number {
  const deaths = Number(headerText(headers, DEAD_LETTER_HEADERS.count) ?? 0)
  return Number.isSafeInteger(deaths) && deaths > 0 ? deaths : 0
}

function deathOf(
  { source, death }: Obituary,
  key: Uint8Array | null,
  headers: readonly RecordHeader[],
  timestampMs: number,
  nowMs: number,
): Omit<DeathEntry, 'count'> {
  const exchange = headerText(headers, messageProperties.exchange)
  const expiresAt = headerText(headers, EXPIRES_AT_HEADER)
  const lifeMs = expiresAt === undefined ? Number.NaN : Number(expiresAt) - timestampMs
  return {
    source,
    reason: death,
    firstMs: nowMs,
    exchange: exchange ?? '',
    keys: [key === null ? (exchange === undefined ? nameIn(source) : '') : decoder.decode(key), ...moreKeysIn(headers)],
    ...(Number.isFinite(lifeMs) ? { expiration: String(Math.max(0, lifeMs)) } : {}),
  }
}

function deathHeaders(obituary: Obituary, offset: number, nowMs: number, timestampMs: number, deaths: number): RecordHeader[] {
  const { death, attempts, source, partition, error, form } = obituary
  const headers = [
    textHeader(DEAD_LETTER_HEADERS.reason, death),
    textHeader(DEAD_LETTER_HEADERS.attempts, attempts),
    textHeader(DEAD_LETTER_HEADERS.source, source),
    textHeader(DEAD_LETTER_HEADERS.partition, partition),
    textHeader(DEAD_LETTER_HEADERS.offset, offset),
    textHeader(DEAD_LETTER_HEADERS.time, nowMs),
    textHeader(DEAD_LETTER_HEADERS.timestamp, timestampMs),
    textHeader(DEAD_LETTER_HEADERS.count, deaths),
  ]
  if (error !== '') headers.push(textHeader(DEAD_LETTER_HEADERS.error, error))
  for (const [name, fact] of Object.entries(form.deadLetterHeaders ?? {})) {
    headers.push(textHeader(name, factOf(fact, obituary, offset)))
  }
  return headers
}

function factOf(fact: DeathFact, { source, partition, attempts, error, death }: Obituary, offset: number): string | number {
  switch (fact) {
    case 'origin':
      return parseAddress(source).name
    case 'subscription':
      return parseAddress(source).subscription ?? ''
    case 'partition':
      return partition
    case 'offset':
      return offset
    case 'attempts':
      return attempts
    case 'reason':
      return error === '' ? death : error
    default:
      return unreachable(fact)
  }
}
