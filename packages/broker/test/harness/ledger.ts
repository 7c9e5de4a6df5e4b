import type { Message, Receipt, StoredMessage } from '@millrace/client'
import { numberOf } from './numbered-body.ts'

/**
 * What clients were told, over all crashes: every message has a number, and every place (partition and offset) holds one message for
 * ever, so that each message's whole life can be compared with the promises. Broken promises are gathered in `violations`.
 *
 * A client sends again what a lost connection left unconfirmed, so a publish that lived through a crash may be stored
 * twice; one that did not may not.
 */
export class Ledger {
  readonly violations: string[] = []
  deliveries = 0
  redeliveries = 0
  failedPublishes = 0
  /** Place -> number, of everything that was confirmed or read. */
  readonly #numberAt = new Map<string, number>()
  readonly #placesOf = new Map<number, Set<string>>()
  readonly #confirmed = new Map<string, { readonly number: number; readonly throughCrash: boolean }>()
  readonly #read = new Set<string>()
  readonly #acked = new Set<string>()

  get confirmed(): number {
    return this.#confirmed.size
  }

  get acked(): number {
    return this.#acked.size
  }

  /** Messages that are stored more than once. */
  get duplicates(): number {
    return [...this.#placesOf.values()].filter((places) => places.size > 1).length
  }

  /** @param throughCrash whether a crash happened between the call and its answer */
  published(number: number, receipt: Receipt, throughCrash: boolean): void {
    this.#confirmed.set(this.#place(number, receipt), { number, throughCrash })
  }

  delivered(message: Message): void {
    this.deliveries++
    if (message.attempt > 1) this.redeliveries++
    const place = this.read(message)
    if (this.#acked.has(place)) {
      this.violations.push(`what is at ${place} came again (attempt ${message.attempt}) after its ack was confirmed`)
    }
  }

  /** @returns its place */
  read(message: StoredMessage): string {
    const number = numberOf(message.text())
    if (number === undefined) this.violations.push(`what is at ${placeOf(message)} is damaged: ${message.text().slice(0, 40)}...`)
    const place = this.#place(number ?? -1, message)
    this.#read.add(place)
    return place
  }

  ackConfirmed(message: Message): void {
    this.#acked.add(placeOf(message))
  }

  /** To be called when everything that is left was read. @returns all broken promises */
  verdict(): readonly string[] {
    const broken = [...this.violations]
    for (const [place, { number, throughCrash }] of this.#confirmed) {
      if (!this.#read.has(place)) broken.push(`message ${number} was confirmed at ${place} and is lost`)
      const places = this.#placesOf.get(number)!
      if (!throughCrash && places.size > 1) {
        broken.push(`message ${number} is stored at ${[...places].join(' and ')} although no crash was near`)
      }
    }
    return broken
  }

  #place(number: number, receipt: Receipt): string {
    const place = placeOf(receipt)
    const before = this.#numberAt.get(place)
    if (before !== undefined && before !== number) this.violations.push(`${place} held message ${before} and now holds ${number}`)
    this.#numberAt.set(place, number)
    const places = this.#placesOf.get(number)
    if (places === undefined) this.#placesOf.set(number, new Set([place]))
    else places.add(place)
    return place
  }
}

function placeOf({ partition, offset }: Receipt): string {
  return `${partition}/${offset}`
}
