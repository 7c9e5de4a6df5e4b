import type { QueueInfo } from '@millrace/client'
import type { Command } from 'commander'
import { parseName } from '../address.ts'
import { formatCount, formatDuration } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { orNone, parseCount, parseDurationMs } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { addDedupOptions, dedupField, dedupPolicy } from './dedup-options.ts'
import type { DedupOptions } from './dedup-options.ts'
import { addDeliveryOptions, deliveryColumns, deliveryFields, deliveryPolicy } from './delivery-options.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import { addMove } from './move.ts'
import { addPauseCommands } from './pause.ts'
import { addPurge } from './purge.ts'
import { addLimitOptions, limitFields, queueLimits } from './queue-limits.ts'
import type { LimitOptions } from './queue-limits.ts'
import { addRemovalOptions, confirmRemoval } from './removal.ts'
import type { RemovalOptions } from './removal.ts'

const columns: readonly Column<QueueInfo>[] = [{ title: 'NAME', cell: (queue) => queue.name }, ...deliveryColumns]

type QueueOptions = DeliveryOptions &
  LimitOptions &
  DedupOptions & {
    readonly expire?: number | 'none'
    readonly priorities?: number
    readonly transient?: boolean
    readonly autoDelete?: boolean
  }

export function addQueue(program: Command): void {
  const queue = program.command('queue').description('List, create, change and delete queues')

  queue
    .command('ls')
    .description('List all queues')
    .action(async (_options: unknown, command: Command) => {
      const queues = await withBroker(command, (client) => client.admin.queues())
      await outputOf(command).rows(queues, columns)
    })
  addGet(queue)
  addCreate(queue)
  addUpdate(queue)
  addPauseCommands(queue, {
    argument: '<name>',
    address: (text) => `queue:${parseName('queue', text)}`,
    policy: async (admin, text) => (await admin.queue(parseName('queue', text))).delivery,
    update: (admin, text, delivery) => admin.updateQueue(parseName('queue', text), { delivery }),
  })
  addPurge(queue)
  addMove(queue)
  addRemoval(queue)
}

function addCreate(queue: Command): void {
  addSettings(queue.command('create').description('Create a queue').argument('<name>'))
    .option('--transient', 'delete the queue with its messages when the broker starts again')
    .option('--auto-delete', 'delete the queue with its messages when its last consumer leaves')
    .action(async (name: string, options: QueueOptions, command: Command) => {
      const limits = queueLimits(options)
      const spec = {
        name: parseName('queue', name),
        delivery: deliveryPolicy(options),
        ...(limits === undefined ? {} : { limits }),
        ...dedupPolicy(options),
        ...expiry(options),
        ...priorities(options),
        ...(options.transient === true ? { durable: false } : {}),
        ...(options.autoDelete === true ? { autoDelete: true } : {}),
      }
      await withBroker(command, (client) => client.admin.createQueue(spec))
      outputOf(command).note(`created queue:${spec.name}`)
    })
}

function addUpdate(queue: Command): void {
  addSettings(queue.command('update').description('Change settings of a queue; `none` takes one away').argument('<name>')).action(
    async (text: string, options: QueueOptions, command: Command) => {
      const name = parseName('queue', text)
      await withBroker(command, async ({ admin }) => {
        const before = await admin.queue(name)
        const limits = queueLimits(options, before.limits)
        await admin.updateQueue(name, {
          delivery: deliveryPolicy(options, before.delivery),
          ...(limits === undefined ? {} : { limits }),
          ...dedupPolicy(options, before.dedup),
          ...expiry(options),
          ...priorities(options),
        })
      })
      outputOf(command).note(`updated queue:${name}`)
    },
  )
}

function addGet(queue: Command): void {
  queue
    .command('get')
    .description('Show one queue')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const info = await withBroker(command, (client) => client.admin.queue(parseName('queue', name)))
      await outputOf(command).object(info, [
        ['name', info.name],
        ['priorities', String(info.priorities ?? 'none')],
        ...(info.levels ?? []).map(({ priority, ready }) => [`ready at ${priority}`, formatCount(ready)] as const),
        ...deliveryFields(info),
        ...limitFields(info.limits),
        dedupField(info.dedup),
        ['kept by a restart', info.durable ? 'yes' : 'no'],
        ['deleted with its last consumer', info.autoDelete ? 'yes' : 'no'],
        ['deleted when unused', info.expireMs === undefined ? 'never' : `for ${formatDuration(info.expireMs)}`],
      ])
    })
}

function addRemoval(queue: Command): void {
  addRemovalOptions(queue.command('rm').description('Delete a queue and its messages').argument('<name>')).action(
    async (text: string, options: RemovalOptions, command: Command) => {
      const name = parseName('queue', text)
      await withBroker(command, async ({ admin }) => {
        const { ready, inFlight, consumers } = await admin.queue(name)
        const what = `queue:${name} with ${formatCount(ready + inFlight)} messages and ${formatCount(consumers)} consumers`
        if (!(await confirmRemoval(what, options))) return
        await admin.deleteQueue(name)
        outputOf(command).note(`deleted queue:${name}`)
      })
    },
  )
}

function addSettings(command: Command): Command {
  return addDedupOptions(addLimitOptions(addDeliveryOptions(command)))
    .option(
      '--priorities <n>',
      'levels of priority, 1 to 256: messages with a higher one are delivered first; can only grow',
      parseCount,
    )
    .option('--expire <duration>', 'delete the queue when nobody has consumed from it for so long', orNone(parseDurationMs))
}

function priorities({ priorities: count }: QueueOptions): { priorities?: number } {
  return count === undefined ? {} : { priorities: count }
}

function expiry({ expire }: QueueOptions): { expireMs?: number } {
  return expire === undefined ? {} : { expireMs: expire === 'none' ? 0 : expire }
}
