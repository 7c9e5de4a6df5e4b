import { topicAddress } from '@millrace/wire'
import type { StartPosition, SubscriptionInfo } from '@millrace/client'
import type { Command } from 'commander'
import { parseName, parseSubscription } from '../address.ts'
import { formatCount } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { addDeliveryOptions, deliveryColumns, deliveryFields, deliveryPolicy } from './delivery-options.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import { addPauseCommands } from './pause.ts'
import { addRemovalOptions, confirmRemoval } from './removal.ts'
import type { RemovalOptions } from './removal.ts'

const columns: readonly Column<SubscriptionInfo>[] = [
  { title: 'TOPIC', cell: (subscription) => subscription.topic },
  { title: 'NAME', cell: (subscription) => subscription.name },
  ...deliveryColumns,
]

interface CreateOptions extends DeliveryOptions {
  readonly from?: StartPosition
  readonly filter?: string
}

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
  addGet(subscription)
  addCreate(subscription)
  addUpdate(subscription)
  addPause(subscription)
  addRemoval(subscription)
}

function addGet(subscription: Command): void {
  subscription
    .command('get')
    .description('Show one subscription')
    .argument('<topic/name>')
    .action(async (text: string, _options: unknown, command: Command) => {
      const { topic, name } = parseSubscription(text)
      const info = await withBroker(command, (client) => client.admin.subscription(topic, name))
      await outputOf(command).object(info, [['topic', info.topic], ['name', info.name], ...deliveryFields(info)])
    })
}

function addCreate(subscription: Command): void {
  addDeliveryOptions(
    subscription
      .command('create')
      .description('Create a subscription')
      .argument('<topic/name>')
      .option('--from <position>', 'earliest, latest, offset:N or time:ISO (default: latest)', parseStartPosition)
      .option('--filter <selector>', 'for good: deliver only what matches, like "color = \'red\' AND weight > 10"'),
  ).action(async (text: string, options: CreateOptions, command: Command) => {
    const { topic, name } = parseSubscription(text)
    const filter = options.filter === undefined ? {} : { filter: options.filter }
    const spec = {
      topic,
      name,
      delivery: { ...deliveryPolicy(options), ...filter },
      ...(options.from === undefined ? {} : { from: options.from }),
    }
    await withBroker(command, (client) => client.admin.createSubscription(spec))
    outputOf(command).note(`created topic:${topic}/${name}`)
  })
}

function addUpdate(subscription: Command): void {
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
}

function addPause(subscription: Command): void {
  addPauseCommands(subscription, {
    argument: '<topic/name>',
    address: (text) => {
      const { topic, name } = parseSubscription(text)
      return topicAddress(topic, name)
    },
    policy: async (admin, text) => {
      const { topic, name } = parseSubscription(text)
      return (await admin.subscription(topic, name)).delivery
    },
    update: (admin, text, delivery) => {
      const { topic, name } = parseSubscription(text)
      return admin.updateSubscription(topic, name, { delivery })
    },
  })
}

function addRemoval(subscription: Command): void {
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
