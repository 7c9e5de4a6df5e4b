import type { StartPosition, SubscriptionInfo } from '@millrace/client'
import type { Command } from 'commander'
import { parseName, parseSubscription } from '../address.ts'
import { formatCount } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { addDeliveryOptions, deliveryColumns, deliveryFields, deliveryPolicy } from './delivery-options.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import { addRemovalOptions, confirmRemoval } from './removal.ts'
import type { RemovalOptions } from './removal.ts'

const columns: readonly Column<SubscriptionInfo>[] = [
  { title: 'TOPIC', cell: (subscription) => subscription.topic },
  { title: 'NAME', cell: (subscription) => subscription.name },
  ...deliveryColumns,
]

export function addSubscription(program: Command): void {
  const subscription = program.command('subscription').description('List, create, change and delete subscriptions of topics')

  subscription
    .command('ls')
    .description('List all subscriptions, or those of one topic')
    .argument('[topic]')
    .action(async (topic: string | undefined, _options: unknown, command: Command) => {
      const name = topic === undefined ? undefined : parseName('topic', topic)
      const subscriptions = await withBroker(command, (client) => client.admin.subscriptions(name))
      await outputOf(command).rows(subscriptions, columns)
    })

  addDeliveryOptions(
    subscription
      .command('create')
      .description('Create a subscription')
      .argument('<topic/name>')
      .option('--from <position>', 'earliest, latest, offset:N or time:ISO (default: latest)', parseStartPosition),
  ).action(async (text: string, options: DeliveryOptions & { readonly from?: StartPosition }, command: Command) => {
    const { topic, name } = parseSubscription(text)
    const spec = { topic, name, delivery: deliveryPolicy(options), ...(options.from === undefined ? {} : { from: options.from }) }
    await withBroker(command, (client) => client.admin.createSubscription(spec))
    outputOf(command).note(`created topic:${topic}/${name}`)
  })

  subscription
    .command('get')
    .description('Show one subscription')
    .argument('<topic/name>')
    .action(async (text: string, _options: unknown, command: Command) => {
      const { topic, name } = parseSubscription(text)
      const info = await withBroker(command, (client) => client.admin.subscription(topic, name))
      await outputOf(command).object(info, [['topic', info.topic], ['name', info.name], ...deliveryFields(info)])
    })

  addDeliveryOptions(
    subscription
      .command('update')
      .description('Change settings of a subscription; `none` takes one away')
      .argument('<topic/name>'),
  ).action(async (text: string, options: DeliveryOptions, command: Command) => {
    const { topic, name } = parseSubscription(text)
    await withBroker(command, async ({ admin }) => {
      const { delivery } = await admin.subscription(topic, name)
      await admin.updateSubscription(topic, name, { delivery: deliveryPolicy(options, delivery) })
    })
    outputOf(command).note(`updated topic:${topic}/${name}`)
  })

  addRemovalOptions(
    subscription.command('rm').description('Delete a subscription; the topic keeps its records').argument('<topic/name>'),
  ).action(async (text: string, options: RemovalOptions, command: Command) => {
    const { topic, name } = parseSubscription(text)
    await withBroker(command, async ({ admin }) => {
      const { ready, inFlight } = await admin.subscription(topic, name)
      const what = `topic:${topic}/${name}, which has ${formatCount(ready + inFlight)} messages not acked yet`
      if (!(await confirmRemoval(what, options))) return
      await admin.deleteSubscription(topic, name)
      outputOf(command).note(`deleted topic:${topic}/${name}`)
    })
  })
}
