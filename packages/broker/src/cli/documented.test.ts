import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { configFlags } from '../server/config/flags.ts'
import { createProgram } from './program.ts'

test('docs/cli.md names every command and option', async () => {
  const text = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8')
  const settings = new Set(configFlags().map(({ name }) => `--${name}`))
  const missing: string[] = []
  const visit = (command: Command, path: readonly string[]): void => {
    const name = path.join(' ')
    if (command.commands.length === 0 && !text.includes(name)) missing.push(name)
    for (const { long } of command.options) {
      // The flags of `start` are the configuration's keys, which docs/configuration.md lists.
      if (long !== null && long !== undefined && !settings.has(long) && long !== '--version' && !text.includes(long))
        missing.push(`${name} ${long}`)
    }
    for (const child of command.commands) visit(child, [...path, child.name()])
  }
  visit(await createProgram(), [])
  expect(missing).toEqual([])
})
