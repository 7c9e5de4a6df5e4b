import { randomBytes } from 'node:crypto'
import { MESSAGE_ID_HEADER, type Millrace, type Publisher, type PublishOptions } from '@millrace/client'
import { Lane } from './lane.ts'
import type { Meter } from './meter.ts'
import { Pace } from './pace.ts'
import type { BenchSettings } from './settings.ts'

/** Bytes that tell when a message was meant to be sent: a float64 of `sharedMs`, at the front of the body. */
export const STAMP_BYTES = 8

/** Messages sent between two looks at the clock and at the input. */
const BURST = 1024
const ID_BYTES = 16
/** What a record takes in a batch besides its body, at least. */
const RECORD_BYTES = 7

/** `performance.now()` on a scale that all processes of the machine share. */
export function sharedMs(localMs: number): number {
  return performance.timeOrigin + localMs
}

export interface PublishEvents {
  /** Told about every confirm; undefined when somebody else measures. */
  readonly meter?: Meter
  /** Counts what was consumed: the publisher then stays at most a window ahead, so that the two go at one pace. */
  readonly consumed?: Meter
}

/** Publishes as the settings say. @returns how many were sent, once all are confirmed */
export async function publishLoad(
  client: Millrace,
  settings: BenchSettings,
  events: PublishEvents,
  signal: AbortSignal,
): Promise<number> {
  const load = new PublishLoad(client, settings, events)
  return load.run(signal)
}

// hot path (millrace bench)
class PublishLoad {
  readonly #settings: BenchSettings
  readonly #events: PublishEvents
  readonly #body: Uint8Array
  readonly #stamp: DataView
  readonly #lanes: readonly Lane[]
  readonly #keys: readonly string[]
  /** Of the message that is being sent: what tells this run from others, and the number of the message. */
  readonly #id = Uint8Array.from(randomBytes(ID_BYTES))
  readonly #idNumber = new DataView(this.#id.buffer, ID_BYTES - 8)
  readonly #options: { key?: string; headers?: Record<string, Uint8Array> }
  #sent = 0
  #confirmed = 0
  #turn = 0
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(client: Millrace, settings: BenchSettings, events: PublishEvents) {
    this.#settings = settings
    this.#events = events
    this.#body = new Uint8Array(Math.max(settings.sizeBytes, events.meter === undefined ? STAMP_BYTES : 0)).fill(0x6d)
    this.#stamp = new DataView(this.#body.buffer)
    this.#options = settings.ids ? { headers: { [MESSAGE_ID_HEADER]: this.#id } } : {}
    this.#keys = Array.from({ length: settings.keys ?? 0 }, (_, n) => `key-${n}`)
    this.#lanes = addressesOf(settings).map((address) => new Lane((lane) => this.#publisher(client, address, lane)))
  }

  async run(signal: AbortSignal): Promise<number> {
    const { durationMs, rate, count } = this.#settings
    const pace = new Pace(performance.now(), durationMs, rate, count)
    for (;;) {
      const now = performance.now()
      if (this.#failure !== undefined) throw this.#failure
      if (pace.finished(this.#sent, now) || signal.aborted) break
      const full = this.#sendDue(pace, now)
      if (full === undefined && this.#room > 0 && this.#ahead > 0) await pace.pause(this.#sent)
      else {
        await (full?.ready() ?? this.#roomMade())
        pace.held(performance.now())
      }
    }
    await Promise.all(this.#lanes.map(({ publisher }) => publisher.close()))
    return this.#sent
  }

  get #room(): number {
    return this.#settings.window - (this.#sent - this.#confirmed)
  }

  /** How many more the consumer lets it send. */
  get #ahead(): number {
    return (this.#events.consumed?.messages ?? Infinity) + this.#settings.window - this.#sent
  }

  /** Sleeps until a confirm, or until the consumer is far enough for a burst: waiting in turns would take its processor. */
  #roomMade(): Promise<void> {
    const { window } = this.#settings
    if (this.#room <= 0) return new Promise<void>((resolve) => (this.#wake = resolve))
    return this.#events.consumed!.reached(this.#sent - window + Math.min(BURST, Math.ceil(window / 2)))
  }

  /**
   * Sends what is due by now and fits into the window: one batch to each destination in turn.
   * @returns the publisher that takes no more for now, because of the bytes it holds
   */
  #sendDue(pace: Pace, now: number): Publisher | undefined {
    const { rate } = this.#settings
    const batch = this.#settings.batchMessages ?? (rate === undefined ? BURST : 1)
    const end = Math.min(pace.due(now), this.#sent + Math.min(BURST, this.#room, this.#ahead))
    while (this.#sent < end) {
      const messages = Math.min(batch, end - this.#sent)
      const intended = pace.intendedMs(this.#sent, now)
      if (this.#body.length >= STAMP_BYTES) this.#stamp.setFloat64(0, sharedMs(intended))
      const lane = this.#lanes[this.#turn++ % this.#lanes.length]!
      let taken = 0
      let room = true
      while (room && taken < messages) {
        room = lane.publisher.send(this.#body, this.#optionsOf(this.#sent + taken))
        taken++
      }
      lane.sent(intended, taken)
      this.#sent += taken
      if (!room) return lane.publisher
    }
    return undefined
  }

  /** Key and id of the n-th message. */
  #optionsOf(n: number): PublishOptions | undefined {
    const { keys, ids } = this.#settings
    if (keys === undefined && !ids) return undefined
    if (keys !== undefined) this.#options.key = this.#keys[n % keys]!
    if (ids) this.#idNumber.setFloat64(0, n)
    return this.#options
  }

  #publisher(client: Millrace, address: string, lane: Lane): Publisher {
    const { window, batchMessages, sizeBytes } = this.#settings
    return client.publisher(address, {
      window,
      ...(batchMessages === undefined ? {} : { batchBytes: batchMessages * (sizeBytes + RECORD_BYTES) }),
      onConfirm: (messages) => {
        this.#confirmed += messages
        lane.confirmed(messages, performance.now(), this.#events.meter)
        this.#wake?.()
      },
      onError: (error) => {
        this.#failure ??= error
        this.#wake?.()
      },
    })
  }
}

/** The destinations of a run. */
export function addressesOf({ address, destinations }: BenchSettings): readonly string[] {
  if (destinations === 1) return [address]
  return Array.from({ length: destinations }, (_, n) => `${address}-${n}`)
}
