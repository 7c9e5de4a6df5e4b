import type { Command } from 'commander'
import { CommandError } from '../failure.ts'
import { parseCount } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'

export function addScheduled(program: Command): void {
  const scheduled = program.command('scheduled').description('Messages that were published for later')
  scheduled
    .command('cancel')
    .description('Take back a scheduled message')
    .argument('<id>', 'what `millrace pub --delay` or `--at` told', parseCount)
    .action(async (id: number, _options: unknown, command: Command) => {
      const cancelled = await withBroker(command, (client) => client.cancelScheduled(id))
      if (!cancelled) throw new CommandError('not_found', `Message ${id} does not wait: it was published, or cancelled before.`)
      outputOf(command).note(`cancelled ${id}`)
    })
}
