// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import type { HeaderValue, RoutedMessage } from '../../core/router/router.ts'
import { AmqpError } from './amqp-error.ts'
import { BASIC_PUBLISH } from './codec/hot-methods.ts'
import { limits } from './limits.ts'
import { FormParts, MessageForm } from './message-form.ts'

const KEPT = 4
const NO_KEYS: readonly string[] = []

/**
 * What the properties of published messages become: record headers. Publishers that send the same ones again and again have them made
 * once; where each message has its own, they go from bytes to bytes.
 */
export class MessagesIn {
  readonly #parts = new FormParts()
  readonly #kept: MessageForm[] = []
  #oldest = 0
  #last: MessageForm | undefined

  /**
   * @param at of the property flags in a content header, `end` one past its last byte
   * @param exchange its name in the core, '' for the default one
   * @throws AmqpError `syntax-error`; `precondition-failed` for an expiration, CC or BCC that is none
   */
  read(bytes: Uint8Array, at: number, end: number, exchange: string): MessageForm {
    const last = this.#last
    if (last !== undefined && last.isOf(bytes, at, end, exchange)) return last
    for (let n = 0; n < this.#kept.length; n++) {
      const form = this.#kept[n]!
      if (form.isOf(bytes, at, end, exchange)) return (this.#last = form)
    }
    return this.#make(bytes, at, end, exchange)
  }

  #make(bytes: Uint8Array, at: number, end: number, exchange: string): MessageForm {
    try {
      const form = new MessageForm(bytes, at, end, exchange, this.#parts)
      if (end - at > limits.keptPropertiesBytesMax) return form
      this.#kept[this.#oldest] = this.#last = form
      this.#oldest = (this.#oldest + 1) % KEPT
      return form
    } catch (error) {
      if (error instanceof AmqpError) {
        error.classId = BASIC_PUBLISH >>> 16
        error.methodId = BASIC_PUBLISH & 0xffff
      }
      throw error
    }
  }
}

/** A message as exchanges see it. One may be used for all messages of a connection. */
export class RoutedForm implements RoutedMessage {
  key = ''
  moreKeys: readonly string[] = NO_KEYS
  form: MessageForm

  constructor(form: MessageForm) {
    this.form = form
  }

  header(name: string): HeaderValue | null | undefined {
    return this.form.header(name)
  }
}
