/** Operations on dead letters, and on what waits in a queue: purge, redrive, and a look at one message. */
import { MillraceError } from '../../base/errors.ts'
import type { RedriveInfo } from '../../core/broker.ts'
import type { Timer } from '../../ports/platform.ts'
import { isAllowed, type SessionContext } from '../session.ts'
import * as schemas from './dead-letter-schemas.ts'
import type { MessageJson } from './message-json.ts'
import { define, type Operation } from './operation.ts'
import { peek } from './peek.ts'
import { named, nothing } from './schemas.ts'

export type DeadLetterOperation =
  'queue.purge' | 'queue.redrive' | 'redrive.get' | 'redrive.list' | 'redrive.cancel' | 'message.get'

const WAIT_MS = 5000

export const deadLetterOperations: Readonly<Record<DeadLetterOperation, Operation>> = {
  'queue.purge': define({
    summary: 'Drop all messages of a queue that no consumer holds',
    action: 'delete',
    params: named,
    result: schemas.purgeResult,
    resource: ({ name }) => `queue:${name}`,
    async run({ broker }, { name }) {
      const { messages, ticket } = broker.purgeQueue(name)
      await broker.whenCommitted(ticket)
      return { messages }
    },
  }),
  'queue.redrive': define({
    summary: 'Move messages of a queue back to where they died, or elsewhere',
    // It takes them out of the queue.
    action: 'consume',
    params: schemas.redriveParams,
    result: schemas.redriveInfo,
    resource: ({ name }) => `queue:${name}`,
    publishesTo: ({ to }) => to,
    async run(context, { name, waitMs = WAIT_MS, ...rest }, _signal, principal) {
      const mayGoTo = (destination: string): boolean => isAllowed(context, principal, 'publish', destination)
      const { id } = context.broker.redrive({ ...rest, source: `queue:${name}`, mayGoTo })
      return await afterWaiting(context, id, waitMs)
    },
  }),
  'redrive.get': define({
    summary: 'How far a redrive is',
    action: 'describe',
    params: schemas.redriveNamed,
    result: schemas.redriveInfo,
    resource: () => 'broker',
    run: (context, { id, waitMs = 0 }) => afterWaiting(context, id, waitMs),
  }),
  'redrive.list': define({
    summary: 'List the redrives that are under way, and the last that have ended',
    action: 'describe',
    params: nothing,
    result: schemas.redriveList,
    resource: () => 'broker',
    run: ({ broker }) => ({ items: broker.redrives() }),
  }),
  'redrive.cancel': define({
    summary: 'Stop a redrive; what it has moved stays moved',
    action: 'define',
    params: schemas.redriveNamed,
    result: schemas.redriveInfo,
    resource: () => 'broker',
    async run({ broker }, { id }) {
      broker.cancelRedrive(id)
      return await broker.whenRedriven(id)
    },
  }),
  'message.get': define({
    summary: 'Look at one message by its offset',
    action: 'read',
    params: schemas.messageParams,
    result: schemas.message,
    resource: ({ source }) => source,
    run: (context, { source, partition = 0, offset }) => messageAt(context, source, partition, offset),
  }),
}

async function afterWaiting(context: SessionContext, id: number, waitMs: number): Promise<RedriveInfo> {
  const { broker } = context
  if (waitMs > 0 && broker.redriveInfo(id).state === 'running') await endOrTime(context, id, waitMs)
  const info = broker.redriveInfo(id)
  // What it says is done must be durable.
  return info.state === 'running' ? info : await broker.whenRedriven(id)
}

async function endOrTime({ broker, platform }: SessionContext, id: number, waitMs: number): Promise<void> {
  let timer: Timer | undefined
  const time = new Promise<void>((resolve) => {
    timer = platform.scheduler.after(waitMs, resolve)
  })
  try {
    await Promise.race([broker.whenRedriven(id), time])
  } finally {
    timer?.cancel()
  }
}

async function messageAt(context: SessionContext, source: string, partition: number, offset: number): Promise<MessageJson> {
  const {
    messages: [message],
  } = await peek(context, { source, partition, from: { offset }, max: 1 })
  if (message?.offset === offset) return message
  throw new MillraceError(
    'offset_out_of_range',
    `${source} partition ${partition} has no message ${offset} any more: it was settled, removed, or never there`,
  )
}
