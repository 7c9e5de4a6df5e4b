import { MillraceError } from '../errors.ts'
import type { Link } from '../link.ts'
import type { HeldMessage, SettleKind, Settler } from '../received-message.ts'

interface Decision {
  readonly kind: Exclude<SettleKind, 'extend'>
  readonly options: object | undefined
}

/** Of one consumer: what gets the same outcome. */
interface Group extends Decision {
  readonly consumer: number
  readonly messages: HeldMessage[]
}

/** The messages that a transaction settles. They are held until it is done, and held on if it fails. */
export class TransactionSettles {
  readonly #decisions = new Map<HeldMessage, Decision>()

  get size(): number {
    return this.#decisions.size
  }

  has(message: HeldMessage): boolean {
    return this.#decisions.has(message)
  }

  /** @throws MillraceError `stale_delivery`, `bad_request` */
  add(message: HeldMessage, kind: Decision['kind'], options: object | undefined): void {
    if (this.#decisions.has(message)) {
      throw new MillraceError('bad_request', `Message ${message.offset} is settled twice in this transaction.`)
    }
    checkHeld(message)
    this.#decisions.set(message, { kind, options })
  }

  /** The one link on which all of them came; undefined when there is none. @throws MillraceError `bad_request`, `stale_delivery` */
  link(): Link | undefined {
    let link: Link | undefined
    for (const message of this.#decisions.keys()) {
      checkHeld(message)
      const its = message.settler.link
      link ??= its
      if (its === link) continue
      const what =
        'The messages of a transaction must have come over one connection: use a client with one connection (`connections: 1`) for what is settled together.'
      throw new MillraceError('bad_request', what)
    }
    return link
  }

  /** As the `transact` frame has it. */
  request(): readonly object[] {
    const groups = new Map<string, Group>()
    for (const [message, { kind, options }] of this.#decisions) {
      const consumer = message.settler.number
      const place = JSON.stringify([consumer, kind, options])
      const group = groups.get(place)
      if (group === undefined) groups.set(place, { consumer, kind, options, messages: [message] })
      else group.messages.push(message)
    }
    return [...groups.values()].map(({ consumer, kind, options, messages }) => ({
      consumer,
      outcome: kind,
      ranges: rangesOf(messages),
      ...(options === undefined ? {} : { [kind]: options }),
    }))
  }

  /** On its way: nobody else decides meanwhile. */
  begin(): void {
    for (const message of this.#decisions.keys()) message.settled = true
  }

  end(done: boolean): void {
    const freed = new Map<Settler, number>()
    for (const message of this.#decisions.keys()) {
      message.settled = done
      if (done) freed.set(message.settler, (freed.get(message.settler) ?? 0) + 1)
    }
    for (const [settler, messages] of freed) settler.free(messages)
  }
}

function checkHeld(message: HeldMessage): void {
  const stale = message.settler.staleness(message)
  if (stale !== undefined) throw new MillraceError('stale_delivery', `Message ${message.offset} cannot be settled: ${stale}.`)
}

/** Fours: partition, first, last, attempt. */
function rangesOf(messages: readonly HeldMessage[]): number[] {
  const ranges: number[] = []
  for (const { partition, offset, attempt } of messages.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const at = ranges.length - 4
    const continues = at >= 0 && ranges[at] === partition && ranges[at + 2] === offset - 1 && ranges[at + 3] === attempt
    if (continues) ranges[at + 2] = offset
    else ranges.push(partition, offset, offset, attempt)
  }
  return ranges
}
