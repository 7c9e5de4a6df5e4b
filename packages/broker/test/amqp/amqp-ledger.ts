import { numberOf } from '../harness/numbered-body.ts'

/**
 * What AMQP clients were told, over all crashes. Every number is published once and never again, so whatever is stored is stored once: a
 * second delivery is a redelivery, and after an acknowledgement that is durable there is none.
 */
export class AmqpLedger {
  readonly violations: string[] = []
  readonly confirmed = new Set<number>()
  /** Acknowledged, and told so by something that was durable after it. */
  readonly acked = new Set<number>()
  readonly #delivered = new Set<number>()
  deliveries = 0
  redeliveries = 0

  /** @returns the number, -1 when it is damaged */
  delivered(body: string, redelivered: boolean): number {
    this.deliveries++
    if (redelivered) this.redeliveries++
    const number = numberOf(body)
    if (number === undefined) {
      this.violations.push(`a message is damaged: ${body.slice(0, 40)}`)
      return -1
    }
    if (this.acked.has(number)) this.violations.push(`message ${number} came again after its acknowledgement was durable`)
    this.#delivered.add(number)
    return number
  }

  /** To be called when everything that is left was read. @returns all broken promises */
  verdict(): readonly string[] {
    const lost = [...this.confirmed].filter((number) => !this.#delivered.has(number))
    return [...this.violations, ...lost.map((number) => `message ${number} was confirmed and is lost`)]
  }
}
