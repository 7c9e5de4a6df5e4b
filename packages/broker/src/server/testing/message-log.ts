import { MillraceError } from '@millrace/client'
import { type BatchRecord, priorityOf } from '@millrace/wire'
import { parseDuration } from '../config/quantities.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A message as the broker saw it. */
export interface SpiedMessage {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  /** That of its header `priority`; 0 without one. */
  readonly priority: number
  /** The body's bytes; null for a tombstone. */
  readonly value: Uint8Array | null
  /** When it was recorded, on the virtual clock. */
  readonly atMs: number
  /** 1 for the first delivery; 0 for what is not a delivery. */
  readonly attempt: number
  /** Of a nack, a rejection or a dead letter: what was said about it. */
  readonly reason: string | undefined
  text(): string
  /** @throws SyntaxError */
  json(): unknown
}

/** What was recorded of one kind at one place, in order. It grows while the broker runs. */
export interface MessageLog {
  readonly all: readonly SpiedMessage[]
  readonly count: number
  readonly last: SpiedMessage | undefined
  /** The bodies, parsed as JSON. */
  json(): readonly unknown[]
  /** The bodies as text. */
  texts(): readonly string[]
  /**
   * Resolves with the message that makes `count` of them, or with the first for which `condition` is true, including those that are
   * there already. Time stands still meanwhile, unless `within` is given: then it moves on, timer by timer, and the promise rejects
   * with `timeout` once it has moved so far.
   */
  waitFor(what: number | Condition, options?: { readonly within?: number | string }): Promise<SpiedMessage>
  /** Forgets what was recorded so far. */
  clear(): void
}

type Condition = (message: SpiedMessage) => boolean

interface Waiter {
  readonly find: () => SpiedMessage | undefined
  readonly resolve: (message: SpiedMessage) => void
  readonly reject: (error: unknown) => void
}

const LISTED_MAX = 10
const decoder = new TextDecoder()

export class RecordedMessages implements MessageLog {
  /** For messages: `published to queue:mail`. */
  readonly #title: string
  readonly #time: VirtualTime
  #messages: SpiedMessage[] = []
  readonly #waiters = new Set<Waiter>()

  constructor(title: string, time: VirtualTime) {
    this.#title = title
    this.#time = time
  }

  get all(): readonly SpiedMessage[] {
    return this.#messages
  }

  get count(): number {
    return this.#messages.length
  }

  get last(): SpiedMessage | undefined {
    return this.#messages.at(-1)
  }

  json(): readonly unknown[] {
    return this.#messages.map((message) => message.json())
  }

  texts(): readonly string[] {
    return this.#messages.map((message) => message.text())
  }

  waitFor(what: number | Condition, options: { readonly within?: number | string } = {}): Promise<SpiedMessage> {
    const find = typeof what === 'number' ? () => this.#messages[Math.max(1, what) - 1] : () => this.#messages.find(what)
    const found = options.within === undefined ? this.#wait(find) : this.#moveTo(find, options.within)
    // A test that awaits it later, or not at all, has its own opinion about that.
    found.catch(() => undefined)
    return found
  }

  clear(): void {
    this.#messages = []
  }

  add(message: SpiedMessage): void {
    this.#messages.push(message)
    for (const waiter of this.#waiters) this.#look(waiter)
  }

  /** Nothing more is recorded. */
  end(): void {
    for (const { reject } of this.#waiters)
      reject(new MillraceError('closed', `The test broker was closed. ${this.#described()}`))
    this.#waiters.clear()
  }

  #look(waiter: Waiter): void {
    try {
      const found = waiter.find()
      if (found === undefined) return
      waiter.resolve(found)
    } catch (error) {
      // The test's own condition threw: that is for the test, not for the broker that is at work here.
      waiter.reject(error)
    }
    this.#waiters.delete(waiter)
  }

  #wait(find: Waiter['find']): Promise<SpiedMessage> {
    return new Promise((resolve, reject) => {
      const waiter = { find, resolve, reject }
      this.#waiters.add(waiter)
      this.#look(waiter)
    })
  }

  async #moveTo(find: Waiter['find'], within: number | string): Promise<SpiedMessage> {
    await this.#time.advance(durationMs(within), () => find() !== undefined)
    const found = find()
    if (found !== undefined) return found
    throw new MillraceError('timeout', `${within} passed on the virtual clock. ${this.#described()}`)
  }

  #described(): string {
    const listed = this.#messages.slice(-LISTED_MAX).map((message) => JSON.stringify(message.text().slice(0, 80)))
    const { count } = this
    const more = count > LISTED_MAX ? `, the last ${LISTED_MAX}` : ''
    return `What was ${this.#title} so far: ${count} message${count === 1 ? '' : 's'}${more}${listed.length > 0 ? `: ${listed.join(', ')}` : ''}.`
  }
}

/** @throws MillraceError `bad_request` */
export function durationMs(duration: number | string): number {
  const ms = parseDuration(duration)
  if (ms !== undefined) return ms
  throw new MillraceError(
    'bad_request',
    `${JSON.stringify(duration)} is no duration: write milliseconds, or '90s', '5m', '1h30m'.`,
  )
}

export function spiedMessage(
  record: BatchRecord,
  details: Pick<SpiedMessage, 'partition' | 'offset' | 'atMs' | 'attempt'> & { readonly reason?: string | undefined },
): SpiedMessage {
  const value = record.value === null ? null : record.value.slice()
  const text = (): string => (value === null ? '' : decoder.decode(value))
  return {
    ...details,
    reason: details.reason,
    key: record.key === null ? null : decoder.decode(record.key),
    priority: priorityOf(record.headers) ?? 0,
    headers: Object.fromEntries(record.headers.map((header) => [header.key, decoder.decode(header.value ?? new Uint8Array(0))])),
    value,
    text,
    json: () => JSON.parse(text()),
  }
}
