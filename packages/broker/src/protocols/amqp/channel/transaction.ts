import { MillraceError } from '../../../base/errors.ts'
import type { Broker, Consumer, Outcome, Route, TransactionAction } from '../../../core/broker.ts'
import { AmqpError } from '../amqp-error.ts'
import { limits } from '../limits.ts'
import type { Holder } from './holder.ts'
import type { BatchTaker } from './publishing.ts'
import type { Returned } from './returned.ts'
import { outcomes, type SettleKind, type SettleTaker } from './settling.ts'
import type { HeldDelivery, Unacked } from './unacked.ts'

interface Settle extends HeldDelivery<Holder> {
  readonly kind: SettleKind
}

export interface Committed {
  /** Whether there is a commit to wait for. */
  readonly changes: boolean
  /** What goes back to its publisher before it is told. */
  readonly returned: readonly Returned[]
}

/** Publishes and acknowledgements of one channel that wait for `tx.commit`, and are then done all or not at all. */
export class Transaction implements BatchTaker, SettleTaker {
  readonly #broker: Broker
  #publishes: { readonly route: Route; readonly batch: Uint8Array }[] = []
  #settles: Settle[] = []
  #returned: Returned[] = []
  #bytes = 0

  constructor(broker: Broker) {
    this.#broker = broker
  }

  get hasPublishes(): boolean {
    return this.#publishes.length > 0
  }

  // ---- what comes in ------------------------------------------------------------------------------------------------------

  takeBatch(route: Route, batch: Uint8Array): void {
    this.#take(batch.length)
    if (route.destinations.length > 0) this.#publishes.push({ route, batch: batch.slice() })
  }

  takeReturned(message: Returned): void {
    this.#take(message.properties.length + message.body.length)
    this.#returned.push(message)
  }

  #take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > limits.transactionBytesMax) {
      throw new AmqpError('precondition-failed', `a transaction holds at most ${limits.transactionBytesMax} bytes of messages`)
    }
  }

  takeSettle(place: number, unacked: Unacked<Holder>, kind: SettleKind): void {
    if (this.#settles.length >= limits.transactionSettlesMax) {
      throw new AmqpError('precondition-failed', `a transaction holds at most ${limits.transactionSettlesMax} acknowledgements`)
    }
    this.#settles.push({ ...unacked.held(place), kind })
    unacked.remove(place)
  }

  // ---- end ----------------------------------------------------------------------------------------------------------------

  /** All of it takes effect with the open commit. @throws AmqpError, and nothing of it was done */
  commit(): Committed {
    const publishes = this.#publishes
    const settles = this.#settles
    const returned = this.#returned
    this.#clear()
    const actions: TransactionAction[] = publishes.map(({ route, batch }) => ({ kind: 'route', route, batch }))
    for (const range of ranges(settles)) actions.push({ kind: 'settle', ...range })
    try {
      if (actions.length > 0) this.#broker.transact(actions)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      throw new AmqpError('precondition-failed', `the transaction was not committed: ${error.message}`)
    } finally {
      for (const { holder } of settles) holder.settled(1)
    }
    return { changes: actions.length > 0, returned }
  }

  /** What was published is forgotten, and what was acknowledged is not. */
  rollback(unacked: Unacked<Holder>): void {
    const settles = this.#settles
    this.#clear()
    unacked.restore(settles)
  }

  #clear(): void {
    this.#publishes = []
    this.#settles = []
    this.#returned = []
    this.#bytes = 0
  }
}

interface Range {
  readonly consumer: Consumer
  readonly partition: number
  readonly first: number
  last: number
  readonly outcome: Outcome
}

/** Neighbours together. */
function ranges(settles: readonly Settle[]): Range[] {
  const found: Range[] = []
  const held = settles.filter(({ holder }) => holder.consumer !== undefined)
  for (const { holder, partition, offset, kind } of held) {
    const before = found.at(-1)
    const outcome = outcomes[kind]
    const isNext = before?.consumer === holder.consumer && before?.partition === partition && before?.outcome === outcome
    if (before !== undefined && isNext && before.last === offset - 1) before.last = offset
    else found.push({ consumer: holder.consumer!, partition, first: offset, last: offset, outcome })
  }
  return found
}
