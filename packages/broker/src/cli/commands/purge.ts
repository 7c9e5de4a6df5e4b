import type { Command } from 'commander'
import { parseName } from '../address.ts'
import { formatCount } from '../output/figures.ts'
import { outputOf, withBroker } from '../session.ts'
import { addRemovalOptions, confirmRemoval, type RemovalOptions } from './removal.ts'

export function addPurge(queue: Command): void {
  addRemovalOptions(
    queue.command('purge').description('Drop all messages of a queue that no consumer holds').argument('<name>'),
  ).action(async (text: string, options: RemovalOptions, command: Command) => {
    const name = parseName('queue', text)
    const output = outputOf(command)
    await withBroker(command, async ({ admin }) => {
      const { ready } = await admin.queue(name)
      if (!(await confirmRemoval(`the ${formatCount(ready)} messages that wait in queue:${name}`, options))) return
      const messages = await admin.purgeQueue(name)
      if (output.format === 'table') output.note(`dropped ${formatCount(messages)} messages of queue:${name}`)
      else await output.object({ messages }, [])
    })
  })
}
