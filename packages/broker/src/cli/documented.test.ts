import { readFileSync } from 'node:fs'
import type { Command, Option } from 'commander'
import { expect, test } from 'vitest'
import { configFlags } from '../server/config/flags.ts'
import { createProgram } from './program.ts'

const text = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8')
/** Heading -> what stands under it. */
const sections = new Map(
  text.split(/^## /m).map((section) => [section.slice(0, section.indexOf('\n')), section.slice(section.indexOf('\n'))]),
)

interface Documented {
  readonly command: Command
  /** `queue create` */
  readonly name: string
  /** What docs/cli.md says about the command. */
  readonly section: string
}

async function documented(): Promise<readonly Documented[]> {
  const found: Documented[] = []
  const visit = (command: Command, path: readonly string[]): void => {
    const section = [...sections].find(([heading]) => heading.split(', ').includes(path[0]!))?.[1] ?? ''
    found.push({ command, name: path.join(' '), section })
    for (const child of command.commands) visit(child, [...path, child.name()])
  }
  for (const command of (await createProgram()).commands) visit(command, [command.name()])
  return found
}

test('docs/cli.md names every command and option where it is about that command', async () => {
  // The flags of `start` are the configuration's keys, which docs/configuration.md lists.
  const settings = new Set(configFlags().map(({ name }) => `--${name}`))
  const missing = (await documented()).flatMap(({ command, name, section }) => [
    ...(command.commands.length > 0 || section.includes(name) ? [] : [name]),
    ...command.options
      .filter(({ long }) => !settings.has(long!) && !new RegExp(`${long!}(?![\\w-])`).test(section))
      .map(({ long }) => `${name} ${long}`),
  ])
  expect(missing).toEqual([])
})

test('the defaults that docs/cli.md tells are true', async () => {
  const wrong = (await documented()).flatMap(({ command, name, section }) =>
    command.options.filter((option) => tellsOtherDefault(option, section)).map(({ long }) => `${name} ${long}`),
  )
  expect(wrong).toEqual([])
})

function tellsOtherDefault({ long, defaultValue }: Option, section: string): boolean {
  const value: unknown = defaultValue
  if (typeof value !== 'number') return false
  const row = section.split('\n').find((line) => new RegExp(`${long!}(?![\\w-])`).test(line)) ?? ''
  const told = /default ([\d,]+)/.exec(row)?.[1]
  return told !== undefined && Number(told.replaceAll(',', '')) !== value
}
