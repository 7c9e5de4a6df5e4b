import { MillraceError } from '../../base/errors.ts'
import type { Broker, Outcome, TransactionAction } from '../../core/broker.ts'
import type { Platform, Timer } from '../../ports/platform.ts'
import type { MessageJson } from '../../protocols/api/message-json.ts'
import { decodeHandle, type Handle } from './handle.ts'
import { LeaseConsumer } from './lease-consumer.ts'

const CONSUMERS_MAX = 10_000
const SWEEP_MS = 5000

export interface ReceiveOptions {
  /** Who may settle what is received. */
  readonly user: string
  readonly max: number
  readonly waitMs: number
  readonly leaseMs: number | undefined
  readonly create: boolean
  readonly signal: AbortSignal
}

export type Settlement = Outcome | { readonly kind: 'extend' }

/** Everything that HTTP requests have received and not yet settled: one core consumer per source and lease time. */
export class Leases {
  readonly #broker: Broker
  readonly #platform: Platform
  readonly #byId = new Map<string, LeaseConsumer>()
  readonly #bySource = new Map<string, LeaseConsumer>()
  #sweep: Timer | undefined
  #closed = false

  constructor(broker: Broker, platform: Platform) {
    this.#broker = broker
    this.#platform = platform
  }

  /** @throws MillraceError `not_found`, `draining`, `overloaded` */
  receive(source: string, options: ReceiveOptions): Promise<readonly MessageJson[]> {
    return this.#consumerFor(source, options).receive(options.max, options.waitMs, options.signal)
  }

  /**
   * Settles each of `handles`, in the open commit.
   * @returns those that are stale: settled before, expired, or from before a restart
   * @throws MillraceError `bad_request` for a handle that is none, or is of another source; then nothing was settled
   */
  settle(user: string, source: string, handles: readonly string[], outcome: Settlement): readonly string[] {
    const decoded = handles.map((text) => this.#belonging(source, decodeHandle(text)))
    const stale: string[] = []
    for (const [n, handle] of decoded.entries()) if (!this.#settleOne(user, handle, outcome)) stale.push(handles[n]!)
    return stale
  }

  /**
   * What a handle of `source` stands for.
   * @throws MillraceError `bad_request` for one that is none, or is of another source
   */
  held(source: string, handle: string): Pick<Handle, 'partition' | 'offset'> {
    return this.#belonging(source, decodeHandle(handle))
  }

  /**
   * What settles `handles` in a transaction.
   * @param user who received them
   * @param authorize called with the source of each
   * @throws MillraceError `bad_request` for a handle that is none, `stale_delivery` when what it was given for is over
   */
  actions(
    user: string,
    handles: readonly string[],
    outcome: Outcome,
    authorize: (source: string) => void,
  ): readonly TransactionAction[] {
    return handles.map((text) => {
      const { consumer: id, partition, offset, attempt } = decodeHandle(text)
      const consumer = this.#byId.get(id)
      if (consumer?.user !== user) {
        throw new MillraceError(
          'stale_delivery',
          `What ${text} was given for is over: its lease ended, or the broker was restarted; nothing of the transaction was done.`,
        )
      }
      authorize(consumer.source)
      return consumer.action(partition, offset, attempt, outcome)
    })
  }

  close(): void {
    this.#closed = true
    this.#sweep?.cancel()
    for (const consumer of this.#byId.values()) consumer.close()
    this.#byId.clear()
    this.#bySource.clear()
  }

  #settleOne(user: string, { consumer: id, partition, offset, attempt }: Handle, outcome: Settlement): boolean {
    const consumer = this.#byId.get(id)
    // A handle counts for whoever it was given to.
    if (consumer?.user !== user) return false
    try {
      if (outcome.kind === 'extend') consumer.extend(partition, offset, attempt)
      else consumer.settle(partition, offset, attempt, outcome)
      return true
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'stale_delivery') return false
      throw error
    }
  }

  #belonging(source: string, handle: Handle): Handle {
    const consumer = this.#byId.get(handle.consumer)
    if (consumer === undefined || consumer.source === source) return handle
    throw new MillraceError(
      'bad_request',
      `A handle belongs to ${consumer.source}, not to ${source}: settle each message where it was received.`,
    )
  }

  #consumerFor(source: string, options: ReceiveOptions): LeaseConsumer {
    if (this.#closed) throw new MillraceError('draining', 'The broker is shutting down.')
    const key = `${source} ${options.leaseMs ?? ''} ${options.user}`
    const existing = this.#bySource.get(key)
    if (existing !== undefined && !existing.ended) return existing
    if (existing !== undefined) this.#forget(key, existing)
    if (this.#byId.size >= CONSUMERS_MAX) {
      throw new MillraceError(
        'overloaded',
        `HTTP requests hold messages of ${CONSUMERS_MAX} different queues and lease times; try again when some are settled.`,
      )
    }
    const id = this.#platform.random.uint32().toString(36) + this.#platform.random.uint32().toString(36)
    const consumer = new LeaseConsumer(id, source, this.#broker, this.#platform, options)
    this.#byId.set(id, consumer)
    this.#bySource.set(key, consumer)
    this.#scheduleSweep()
    return consumer
  }

  #scheduleSweep(): void {
    this.#sweep ??= this.#platform.scheduler.after(SWEEP_MS, () => {
      this.#sweep = undefined
      const now = this.#platform.clock.monotonicMs()
      for (const [key, consumer] of this.#bySource) {
        if (!consumer.ended && !consumer.isIdle(now - SWEEP_MS)) continue
        this.#forget(key, consumer)
        consumer.close()
      }
      if (this.#byId.size > 0 && !this.#closed) this.#scheduleSweep()
    })
  }

  #forget(key: string, consumer: LeaseConsumer): void {
    this.#bySource.delete(key)
    this.#byId.delete(consumer.id)
  }
}
