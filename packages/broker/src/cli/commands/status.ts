import type { Command } from 'commander'
import { formatCount, formatDuration } from '../output/figures.ts'
import { outputOf, withBroker } from '../session.ts'

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('Show the broker: version, durability, listeners, and how much it holds')
    .action(async (_options: unknown, command: Command) => {
      const { status, topics, queues } = await withBroker(command, async ({ admin }) => ({
        status: await admin.status(),
        topics: await admin.topics(),
        queues: await admin.queues(),
      }))
      const ready = queues.reduce((sum, queue) => sum + queue.ready, 0)
      const inFlight = queues.reduce((sum, queue) => sum + queue.inFlight, 0)
      await outputOf(command).object({ ...status, topics: topics.length, queues: queues.length, ready, inFlight }, [
        ['version', status.version],
        ['pid', String(status.pid)],
        ['uptime', formatDuration(status.uptimeMs)],
        ['engine', status.engine],
        ['durability', status.durability],
        ...Object.entries(status.listeners).map(([door, address]) => [door, address] as const),
        ['topics', formatCount(topics.length)],
        ['queues', formatCount(queues.length)],
        ['ready messages', formatCount(ready)],
        ['in flight', formatCount(inFlight)],
      ])
    })
}
