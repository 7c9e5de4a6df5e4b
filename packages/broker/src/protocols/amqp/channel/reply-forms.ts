import { encodeProperties, Properties, propertyNames, PROPERTY, type PropertyValues } from '../codec/properties.ts'
import type { MessageForm } from '../message-form.ts'
import type { MessagesIn } from '../message-in.ts'

/** Properties of requests whose `reply-to` was the name of all reply queues, with the address of the one that is meant. */
export class ReplyForms {
  readonly #messages: MessagesIn
  readonly #made = new WeakMap<MessageForm, MessageForm>()

  constructor(messages: MessagesIn) {
    this.#messages = messages
  }

  of(form: MessageForm, replyTo: string): MessageForm {
    const made = this.#made.get(form)
    if (made?.replyTo === replyTo) return made
    const bytes = encodeProperties({ ...valuesOf(form.properties), replyTo })
    const addressed = this.#messages.read(bytes, 0, bytes.length, form.exchange)
    this.#made.set(form, addressed)
    return addressed
  }
}

function valuesOf(bytes: Uint8Array): PropertyValues {
  const properties = new Properties()
  properties.read(bytes, 0, bytes.length)
  const values: { -readonly [Name in keyof PropertyValues]: PropertyValues[Name] } = {}
  for (const name of propertyNames) {
    const property = PROPERTY[name]
    if (!properties.has(property)) continue
    if (name === 'deliveryMode' || name === 'priority') values[name] = properties.octet(property)
    else if (name === 'timestamp') values[name] = properties.timestamp()
    else values[name] = properties.content(property)
  }
  return values
}
