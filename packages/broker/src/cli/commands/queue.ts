import type { QueueInfo } from '@millrace/client'
import type { Command } from 'commander'
import { parseName } from '../address.ts'
import { formatCount } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { outputOf, withBroker } from '../session.ts'
import { addDeliveryOptions, deliveryColumns, deliveryFields, deliveryPolicy } from './delivery-options.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import { addRemovalOptions, confirmRemoval } from './removal.ts'
import type { RemovalOptions } from './removal.ts'

const columns: readonly Column<QueueInfo>[] = [{ title: 'NAME', cell: (queue) => queue.name }, ...deliveryColumns]

export function addQueue(program: Command): void {
  const queue = program.command('queue').description('List, create, change and delete queues')

  queue
    .command('ls')
    .description('List all queues')
    .action(async (_options: unknown, command: Command) => {
      const queues = await withBroker(command, (client) => client.admin.queues())
      await outputOf(command).rows(queues, columns)
    })

  addDeliveryOptions(queue.command('create').description('Create a queue').argument('<name>')).action(
    async (name: string, options: DeliveryOptions, command: Command) => {
      const spec = { name: parseName('queue', name), delivery: deliveryPolicy(options) }
      await withBroker(command, (client) => client.admin.createQueue(spec))
      outputOf(command).note(`created queue:${spec.name}`)
    },
  )

  queue
    .command('get')
    .description('Show one queue')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const info = await withBroker(command, (client) => client.admin.queue(parseName('queue', name)))
      await outputOf(command).object(info, [['name', info.name], ...deliveryFields(info)])
    })

  addDeliveryOptions(
    queue.command('update').description('Change settings of a queue; `none` takes one away').argument('<name>'),
  ).action(async (text: string, options: DeliveryOptions, command: Command) => {
    const name = parseName('queue', text)
    await withBroker(command, async ({ admin }) => {
      const { delivery } = await admin.queue(name)
      await admin.updateQueue(name, { delivery: deliveryPolicy(options, delivery) })
    })
    outputOf(command).note(`updated queue:${name}`)
  })

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
