import type { AmqpSettings } from './settings.ts'
import type { ReplyConsumer } from './channel/reply-consumer.ts'

/** What the connections of a door share. */
export class DoorState {
  readonly settings: AmqpSettings
  /** By name in the core: the connection to which a queue belongs. */
  readonly owners = new Map<string, object>()
  /** Who waits for direct replies, by what stands behind `amq.rabbitmq.reply-to.` in their addresses. */
  readonly replyConsumers = new Map<string, ReplyConsumer>()

  constructor(settings: AmqpSettings) {
    this.settings = settings
  }
}
