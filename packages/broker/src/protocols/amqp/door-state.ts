import type { AmqpAdministration } from './administration.ts'
import type { AmqpSettings } from './settings.ts'
import type { ReplyConsumer } from './channel/reply-consumer.ts'

const LEASE_MARGIN_MS = 60_000
const LEASE_MS_MAX: number = 7 * 86_400_000

/** What the connections of a door share. */
export class DoorState {
  readonly settings: AmqpSettings
  readonly administration: AmqpAdministration
  /** By name in the core: the connection to which a queue belongs. */
  readonly owners: Map<string, object> = new Map()
  /** Who waits for direct replies, by what stands behind `amq.rabbitmq.reply-to.` in their addresses. */
  readonly replyConsumers: Map<string, ReplyConsumer> = new Map()

  /** Nobody else gets a delivery before its channel was closed for holding it. */
  readonly leaseMs: number

  constructor(settings: AmqpSettings, administration: AmqpAdministration) {
    this.settings = settings
    this.administration = administration
    this.leaseMs = settings.consumerTimeoutMs === 0 ? LEASE_MS_MAX : settings.consumerTimeoutMs + LEASE_MARGIN_MS
  }
}
