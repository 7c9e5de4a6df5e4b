import type { SessionContext } from '../session.ts'
import { Access } from './access.ts'
import type { Client } from './client.ts'
import type { Output } from './codec/output.ts'
import type { DoorState } from './door-state.ts'
import { Feeder } from './feeder.ts'
import type { Opened } from './handshake.ts'
import { MessagesIn } from './message-in.ts'
import { VhostNames } from './vhost-names.ts'

interface ConnectionSide {
  readonly knowsCancel: boolean
  readonly backlogBytes: () => number
  readonly wake: () => void
  readonly awaitCommit: () => void
  readonly awaitRoom: () => void
}

/** What the channels of a connection get, once it is open. */
export function connectedClient(
  { principal, userName, vhost, frameBytesMax }: Opened,
  context: SessionContext,
  door: DoorState,
  output: Output,
  { knowsCancel, backlogBytes, wake, awaitCommit, awaitRoom }: ConnectionSide,
): Client {
  const names = new VhostNames(vhost)
  return {
    context,
    broker: context.broker,
    door,
    output,
    names,
    access: new Access(context, principal, names, userName),
    feeder: new Feeder(wake),
    messagesIn: new MessagesIn(),
    principal,
    userName,
    knowsCancel,
    frameBytesMax,
    publishedTicket: 0,
    get backlogBytes(): number {
      return backlogBytes()
    },
    wake,
    awaitCommit,
    awaitRoom,
  }
}
