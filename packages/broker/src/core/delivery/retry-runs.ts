/** The retry policies that messages have of their own. */
import {
  BATCH_HAS_RETRY,
  BatchFormatError,
  batchAttributes,
  encodeText,
  readRetry,
  RecordCursor,
  RETRY_HEADER,
  type RetryPolicy,
} from '@millrace/wire'
import type { StoredBatch } from '../../storage/log-store.ts'

const HEADER_KEY: Uint8Array = encodeText(RETRY_HEADER)
/** Publishers have a few policies, not one for each message. */
const POLICIES_MAX = 256

/** Whether a message of the batch may have a policy of its own. Nothing else of a batch is looked at before that. */
export function mayHaveRetry(batch: Uint8Array): boolean {
  return (batchAttributes(batch) & BATCH_HAS_RETRY) !== 0
}

/** Policies by the text of the header, so that messages which have the same one share an object, and a range while they are out. */
export class RetryPolicies {
  readonly #policies = new Map<string, RetryPolicy | undefined>()

  /** @returns undefined for what is no policy */
  read(value: Uint8Array): RetryPolicy | undefined {
    const text = binaryText(value)
    const known = this.#policies.get(text)
    if (known !== undefined || this.#policies.has(text)) return known
    if (this.#policies.size === POLICIES_MAX) this.#policies.clear()
    const policy = readRetry(value)
    this.#policies.set(text, policy)
    return policy
  }
}

/** Remembers the batch it was asked about last, which it walks once. */
export class RetryRuns {
  /** End of the run that `at` was asked about. */
  last = 0
  readonly #policies: RetryPolicies
  #batch: StoredBatch | undefined
  /** By position in the batch. */
  #found: (RetryPolicy | undefined)[] = []

  constructor(policies: RetryPolicies) {
    this.#policies = policies
  }

  /** The policy of the message at `first`. `last` gets the end of the run of those that have the same. */
  at(batch: StoredBatch, first: number, last: number): RetryPolicy | undefined {
    if (this.#batch !== batch) this.#walk(batch)
    const base = batch.baseOffset
    const policy = this.#found[first - base]
    let end = first
    while (end < last && this.#found[end + 1 - base] === policy) end++
    this.last = end
    return policy
  }

  #walk(batch: StoredBatch): void {
    this.#batch = batch
    const policies = Array.from<RetryPolicy | undefined>({ length: batch.lastOffset - batch.baseOffset + 1 })
    this.#found = policies
    const records = new RecordCursor(batch.bytes)
    try {
      while (records.next()) {
        if (!records.findHeader(HEADER_KEY)) continue
        const { headerAt, headerLength } = records
        policies[records.offsetDelta] = this.#policies.read(batch.bytes.subarray(headerAt, headerAt + headerLength))
      }
    } catch (error) {
      // What cannot be read has no policy: whoever consumes it is told.
      if (!(error instanceof BatchFormatError)) throw error
    }
  }
}

function binaryText(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
