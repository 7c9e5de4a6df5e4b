import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { CommandError, usageError } from '../failure.ts'

export interface RemovalOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
}

export function addRemovalOptions(command: Command): Command {
  return command.option('-y, --yes', 'do not ask').option('--dry-run', 'say what would be deleted, and delete nothing')
}

/**
 * Makes sure that somebody wants this.
 * @param what names the thing and what is lost with it
 * @returns false for a dry run
 * @throws CommandError when the answer is no, or nobody can be asked
 */
export async function confirmRemoval(what: string, options: RemovalOptions): Promise<boolean> {
  if (options.dryRun === true) {
    process.stderr.write(`would delete ${what}\n`)
    return false
  }
  if (options.yes === true) return true
  if (!process.stdin.isTTY) throw usageError(`This deletes ${what}. Add --yes to do it without being asked.`)
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await prompt.question(`Delete ${what}? [y/N] `)
    if (/^y(es)?$/i.test(answer.trim())) return true
  } finally {
    prompt.close()
  }
  throw new CommandError(undefined, 'Nothing was deleted.')
}
