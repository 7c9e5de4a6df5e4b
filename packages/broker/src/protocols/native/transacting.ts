import { type FrameWriter, type JsonObject, writeFrame } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Consumer, Destination, Outcome, PlacedRun, Published, TransactionAction } from '../../core/broker.ts'
import { check } from '../api/json-schema.ts'
import type { Ticket } from '../commit-waiters.ts'
import { limits } from './limits.ts'
import { type PublishAccess, reason } from './publishing.ts'
import { type TransactRequest, transactRequest } from './transact-schema.ts'

interface Pending {
  readonly transaction: number
  readonly ticket: Ticket
  readonly places: readonly (readonly Published[])[]
}

/** One publish of a transaction; without an action when it is left out. */
type Publish = TransactionAction | undefined

const RANGE_NUMBERS = 4

/** The transactions of a session: those that wait for their commit, in order. */
export class Transacting {
  readonly #broker: Broker
  readonly #writer: FrameWriter
  readonly #consumerOf: (number: number) => Consumer
  readonly #pending: Pending[] = []

  constructor(broker: Broker, writer: FrameWriter, consumerOf: (number: number) => Consumer) {
    this.#broker = broker
    this.#writer = writer
    this.#consumerOf = consumerOf
  }

  get waiting(): boolean {
    return this.#pending.length > 0
  }

  /** @param batches one after the other; borrowed */
  transact(transaction: number, json: JsonObject, batches: Uint8Array, access: PublishAccess): void {
    try {
      if (this.#pending.length >= limits.transactionsMax) {
        const what = `${limits.transactionsMax} transactions wait for their commit on this connection; wait for one.`
        throw new MillraceError('overloaded', what)
      }
      const request = check(transactRequest, json, '`transact`')
      const publishes = this.#publishes(request, batches, access)
      const settles = this.#settles(request)
      const cancels = this.#cancels(request, access.authorize)
      const done = this.#broker.transact([...publishes.filter(isDone), ...settles, ...cancels])
      let at = 0
      const places = publishes.map((publish) => (publish === undefined ? [] : done[at++]!))
      this.#pending.push({ transaction, ticket: this.#broker.ticket(), places })
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      writeFrame(this.#writer, 'transactFailed', { transaction, reason: reason(error) })
    }
  }

  /** Tells which transactions became durable. */
  confirm(committed: Ticket): void {
    let done = 0
    for (; done < this.#pending.length && this.#pending[done]!.ticket <= committed; done++) {
      const { transaction, places } = this.#pending[done]!
      const shown = { places: places.map((each) => each.map(shownPlace)) }
      const isDivided = places.some((each) => each.some(({ placed }) => placed !== undefined))
      const placed = isDivided ? { placed: places.map((each) => each.map((place) => threesOf(place.placed))) } : {}
      writeFrame(this.#writer, 'transacted', { transaction, result: { ...shown, ...placed } })
    }
    if (done > 0) this.#pending.splice(0, done)
  }

  #publishes({ publishes = [] }: TransactRequest, batches: Uint8Array, { authorize, checkKey }: PublishAccess): Publish[] {
    const actions: Publish[] = []
    let at = 0
    for (const { to, partition, bytes, create = true, optional = false } of publishes) {
      const batch = batches.subarray(at, at + bytes)
      at += bytes
      for (const destination of to) authorize(destination)
      if (optional && to.length !== 1) throw new MillraceError('bad_request', '`optional` is for one destination.')
      const targets = this.#destinations(to, create && !optional, optional, checkKey)
      if (targets === undefined) actions.push(undefined)
      else if (partition === undefined) actions.push({ kind: 'multicast', to: targets, batch })
      else if (targets.length === 1) actions.push({ kind: 'publish', to: targets[0]!, partition, batch })
      else throw new MillraceError('bad_request', '`partition` is for one destination.')
    }
    if (at !== batches.length) {
      throw new MillraceError('bad_request', `The publishes of the transaction have ${at} bytes, its batches ${batches.length}.`)
    }
    return actions
  }

  /** @returns undefined when one is missing and may be */
  #destinations(
    to: readonly string[],
    create: boolean,
    optional: boolean,
    checkKey: PublishAccess['checkKey'],
  ): Destination[] | undefined {
    try {
      return to.map((destination) => this.#broker.destination(destination, create, checkKey))
    } catch (error) {
      if (optional && error instanceof MillraceError && error.code === 'not_found') return undefined
      throw error
    }
  }

  #cancels({ cancels = [] }: TransactRequest, authorize: (destination: string) => void): TransactionAction[] {
    for (const id of cancels) {
      const destination = this.#broker.scheduled(id)
      if (destination !== undefined) authorize(destination)
    }
    return cancels.map((id) => ({ kind: 'cancel', id }))
  }

  #settles({ settles = [] }: TransactRequest): TransactionAction[] {
    const actions: TransactionAction[] = []
    for (const settle of settles) {
      const consumer = this.#consumerOf(settle.consumer)
      const { ranges } = settle
      if (ranges.length % RANGE_NUMBERS !== 0) {
        throw new MillraceError('bad_request', 'The ranges of a settle are fours: partition, first, last, attempt.')
      }
      const outcome: Outcome =
        settle.outcome === 'ack'
          ? { kind: 'ack' }
          : settle.outcome === 'nack'
            ? { kind: 'nack', ...settle.nack }
            : { kind: 'reject', ...settle.reject }
      for (let n = 0; n < ranges.length; n += RANGE_NUMBERS) {
        const [partition, first, last, attempt] = ranges.slice(n, n + RANGE_NUMBERS) as [number, number, number, number]
        if (last < first) throw new MillraceError('bad_request', `A range of a settle goes from ${first} to ${last}.`)
        const which = attempt === 0 ? {} : { attempt }
        actions.push({ kind: 'settle', consumer, partition, first, last, ...which, outcome })
      }
    }
    return actions
  }
}

function isDone(publish: Publish): publish is TransactionAction {
  return publish !== undefined
}

/** `[partition, base offset]`, and after them, where there are duplicates, threes: position in the batch, partition, offset. */
function shownPlace({ partition, baseOffset, duplicates }: Published): number[] {
  return [partition, baseOffset, ...threesOf(duplicates)]
}

function threesOf(places: readonly PlacedRun[] = []): number[] {
  return places.flatMap(({ position, partition, offset }) => [position, partition, offset])
}
