import type { Admin, DeliveryPolicy } from '@millrace/client'
import type { Command } from 'commander'
import { outputOf, withBroker } from '../session.ts'

/** What can be paused: a queue or a subscription. */
export interface Pausable {
  readonly argument: string
  /** Of the text that the user gave. */
  address(text: string): string
  policy(admin: Admin, text: string): Promise<DeliveryPolicy>
  update(admin: Admin, text: string, delivery: DeliveryPolicy): Promise<void>
}

/** `pause` and `resume` under a command. */
export function addPauseCommands(parent: Command, what: Pausable): void {
  for (const [verb, paused, does] of [
    ['pause', true, 'Hand out nothing until it is resumed; publishing goes on'],
    ['resume', false, 'Hand messages out again'],
  ] as const) {
    parent
      .command(verb)
      .description(does)
      .argument(what.argument)
      .action(async (text: string, _options: unknown, command: Command) => {
        await withBroker(command, async ({ admin }) => {
          const { paused: _, ...policy } = await what.policy(admin, text)
          await what.update(admin, text, paused ? { ...policy, paused } : policy)
        })
        outputOf(command).note(`${verb}d ${what.address(text)}`)
      })
  }
}
