import type { Broker } from '../../core/broker.ts'
import type { Ticket } from '../commit-waiters.ts'
import type { Principal, SessionContext } from '../session.ts'
import type { Access } from './access.ts'
import type { Output } from './codec/output.ts'
import type { DoorState } from './door-state.ts'
import type { Feeder } from './feeder.ts'
import type { MessagesIn } from './message-in.ts'
import type { VhostNames } from './vhost-names.ts'

/** A connection, as what serves its channels sees it. */
export interface Client {
  readonly context: SessionContext
  readonly broker: Broker
  readonly door: DoorState
  readonly output: Output
  readonly names: VhostNames
  readonly access: Access
  readonly feeder: Feeder
  readonly messagesIn: MessagesIn
  readonly principal: Principal
  /** The name that the client gave, also where nobody checks names. */
  readonly userName: string
  /** Whether it understands `basic.cancel` of the server. */
  readonly knowsCancel: boolean
  /** Largest frame that was agreed on. */
  readonly frameBytesMax: number
  /** What it published last has this ticket: whoever asks for messages afterwards is to see it. */
  publishedTicket: Ticket
  /** Bytes that wait for the peer, written in this turn or not. */
  readonly backlogBytes: number
  /** Something was written, or may be: there is a flush at the end of the turn. */
  wake(): void
  /** As `wake`, and again when the next commit is durable. */
  awaitCommit(): void
  /** There is no room for what is published: what follows is not looked at before there is some. */
  awaitRoom(): void
}
