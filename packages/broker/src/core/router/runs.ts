/** A batch taken apart by where its records go. */
import {
  BATCH_HEADER_BYTES,
  encodeText,
  messageProperties,
  MORE_KEYS_HEADER,
  RecordBatchBuilder,
  RecordCursor,
  type RecordHeader,
  readHeaders,
} from '@millrace/wire'
import type { Crc32c } from '../../ports/checksum.ts'
import type { CoreRoute } from './core-route.ts'
import { afterDelay } from './delay-header.ts'
import { OPEN_RUNS_MAX } from './limits.ts'
import { RoutedRecord } from './routed-records.ts'
import type { RoutedMessage } from './router.ts'

/** Records that go the same way, as a batch. */
export interface Run {
  readonly route: CoreRoute
  readonly batch: Uint8Array
  /** Of its records in the batch that was taken apart, in order. */
  readonly positions: readonly number[]
}

/** What records are published with. */
export interface PublishedTo {
  /** Name of an exchange, which their header `exchange` says; undefined: they say it already, or it is the default exchange. */
  readonly exchange: string | undefined
  /** The key that all of them get; undefined: they keep their own. */
  readonly key: string | undefined
  /** What they are routed by; undefined: their key. */
  readonly routedBy: string | undefined
  /** They are routed by the other keys that they say, too. */
  readonly hasMoreKeys?: boolean
}

interface OpenRun {
  readonly route: CoreRoute
  readonly builder: RecordBatchBuilder
  readonly positions: number[]
}

/** As what records are published. */
export type Publishing = Pick<PublishedTo, 'exchange' | 'key'> & {
  /** They have waited for as long as they say. */
  readonly hasWaited?: boolean
}

/** What a header takes beside its text. */
const HEADER_OVERHEAD_BYTES = 16

/**
 * Gathers the records of a batch by their routes. In each destination they are in the order of the batch: a record joins an earlier run only when
 * nothing that came between goes where it goes.
 * @param batch well-formed, not compressed
 * @param route undefined: the record is left out
 */
export function runsOf(
  batch: Uint8Array,
  to: PublishedTo,
  route: (message: RoutedMessage, position: number) => CoreRoute | undefined,
  bytesMax: number,
  crc32c: Crc32c,
): Run[] {
  const message = new RoutedRecord()
  const record = new RecordCursor(batch)
  const rewriter = new Rewriter(to)
  const runs: OpenRun[] = []
  for (let position = 0; record.next(); position++) {
    const way = route(message.show(record, to.routedBy, to.hasMoreKeys === true), position)
    if (way === undefined) continue
    const bytes = record.end - record.keyAt + rewriter.addedBytes
    let run = openRun(runs, way)
    if (run === undefined || run.builder.bytes + bytes > bytesMax) {
      run = { route: way, builder: new RecordBatchBuilder(BATCH_HEADER_BYTES + bytes, crc32c), positions: [] }
      runs.push(run)
    }
    run.positions.push(position)
    rewriter.append(run.builder, record)
  }
  return runs.map(({ route: way, builder, positions }) => ({ route: way, batch: builder.finish(), positions }))
}

/** A batch whose records say what they are published with. */
export function rewritten(batch: Uint8Array, to: Publishing, crc32c: Crc32c): Uint8Array {
  const builder = new RecordBatchBuilder(batch.length, crc32c)
  const record = new RecordCursor(batch)
  const rewriter = new Rewriter(to)
  while (record.next()) rewriter.append(builder, record)
  return builder.finish()
}

/** Copies records with the key and the exchange that they are published with. */
class Rewriter {
  /** What that adds to a record, at most. */
  readonly addedBytes: number
  readonly #key: Uint8Array | undefined
  readonly #added: RecordHeader | undefined
  readonly #hasWaited: boolean

  constructor({ exchange, key, hasWaited }: Publishing) {
    this.#hasWaited = hasWaited === true
    this.#key = key === undefined ? undefined : encodeText(key)
    this.#added = exchange === undefined ? undefined : { key: messageProperties.exchange, value: encodeText(exchange) }
    this.addedBytes =
      HEADER_OVERHEAD_BYTES + (this.#key?.length ?? 0) + messageProperties.exchange.length + (this.#added?.value?.length ?? 0)
  }

  append(builder: RecordBatchBuilder, record: RecordCursor): void {
    const { batch, keyAt, keyLength, valueAt, valueLength } = record
    builder.append(
      record.timestampMs,
      this.#key ?? part(batch, keyAt, keyLength),
      part(batch, valueAt, valueLength),
      this.#headers(record),
    )
  }

  #headers({ batch, headersAt, end }: RecordCursor): readonly RecordHeader[] {
    const read = readHeaders(batch, headersAt, end)
    const headers = this.#hasWaited ? read.map(afterDelay) : read
    const added = this.#added
    return added === undefined ? headers : [...headers.filter(({ key }) => key !== added.key && key !== MORE_KEYS_HEADER), added]
  }
}

/** The run that a record may join. */
function openRun(runs: readonly OpenRun[], route: CoreRoute): OpenRun | undefined {
  const oldest = Math.max(0, runs.length - OPEN_RUNS_MAX)
  for (let n = runs.length - 1; n >= oldest; n--) {
    const run = runs[n]!
    if (run.route === route) return run
    if (run.route.shares(route)) return undefined
  }
  return undefined
}

function part(batch: Uint8Array, at: number, length: number): Uint8Array | null {
  return length < 0 ? null : batch.subarray(at, at + length)
}
