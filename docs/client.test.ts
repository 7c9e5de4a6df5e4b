import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import * as clientModule from '@millrace/client'
import * as embeddedModule from 'millrace/embedded'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const guide = readFileSync(new URL('client.md', import.meta.url), 'utf8')
const snippets = [...guide.matchAll(/^## (.*)$|^```ts\n([\s\S]*?)^```$/gm)].reduce<{ title: string; code: string }[]>(
  (list, [, title, code]) => {
    if (title !== undefined) list.push({ title, code: '' })
    else list.push({ title: list.at(-1)!.title, code: code! })
    return list
  },
  [],
)

const modules: Readonly<Record<string, object>> = { '@millrace/client': clientModule, 'millrace/embedded': embeddedModule }
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>

let broker: embeddedModule.EmbeddedBroker

beforeAll(async () => {
  broker = await embeddedModule.startEmbedded()
})

afterAll(async () => {
  await broker.close()
})

/** Runs a snippet against the embedded broker. @returns what it printed */
async function run(code: string): Promise<string[]> {
  const names = new Map<string, unknown>()
  const body = code.replaceAll(/^import \{ (.*) \} from '(.*)'$/gm, (_, imported: string, from: string) => {
    for (const name of imported.split(', ')) {
      expect(modules[from], `the module ${from}`).toHaveProperty(name)
      names.set(name, modules[from]![name as never])
    }
    return ''
  })
  const printed: string[] = []
  const console = {
    log: (...values: unknown[]) =>
      void printed.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')),
    error: (...values: unknown[]) => expect.unreachable(values.join(' ')),
  }
  if (names.has('connect')) names.set('connect', (_url: string, options: object) => broker.connect(options))
  if (!/\bconst client\b/.test(body)) names.set('client', broker.client)
  names.set('console', console)
  await new AsyncFunction(...names.keys(), body)(...names.values())
  return printed
}

describe('the client guide', () => {
  for (const [n, { title, code }] of snippets.entries()) {
    if (code === '') continue
    it(`${title}: snippet ${n}`, async () => {
      const promised = [...code.matchAll(/\/\/ prints: (.*)$/gm)].map(([, text]) => text)
      expect(await run(code)).toEqual(promised)
    })
  }

  it('shows every way to publish and to consume', () => {
    for (const call of [
      '.publish(',
      '.publishBatch(',
      '.send(',
      '.consume(',
      '.messages(',
      '.pull(',
      '.read(',
      '.subscription(',
      '.peek(',
    ]) {
      expect(guide).toContain(call)
    }
  })
})
