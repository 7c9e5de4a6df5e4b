import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { expect } from 'vitest'

export interface Snippet {
  /** The heading it stands under. */
  readonly title: string
  readonly code: string
  /** What its comments `// prints: ...` promise, line by line. */
  readonly prints: readonly string[]
}

/** All code of a guide beside this file that is marked as TypeScript; it is kept to what is JavaScript too. */
export function snippetsOf(guide: string): readonly Snippet[] {
  const text = readFileSync(new URL(guide, import.meta.url), 'utf8')
  const snippets: Snippet[] = []
  let heading = ''
  for (const [, title, code] of text.matchAll(/^## (.*)$|^```ts\n([\s\S]*?)^```$/gm)) {
    heading = title ?? heading
    if (code === undefined) continue
    snippets.push({ title: heading, code, prints: [...code.matchAll(/\/\/ prints: (.*)$/gm)].map(([, line]) => line!) })
  }
  return snippets
}

const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>

/**
 * Runs a snippet.
 * @param modules what it may import
 * @param names what it may use besides, and what replaces a name that it imports
 * @returns what it printed
 */
export async function runSnippet(
  code: string,
  modules: Readonly<Record<string, object>>,
  names: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  const known = new Map<string, unknown>()
  const body = code.replaceAll(/^import \{ (.*) \} from '(.*)'$/gm, (_, imported: string, from: string) => {
    for (const name of imported.split(', ')) {
      expect(modules[from], `the module ${from}`).toHaveProperty(name)
      known.set(name, modules[from]?.[name as never])
    }
    return ''
  })
  for (const [name, value] of Object.entries(names)) {
    if (!new RegExp(`\\bconst (${name}\\b|\\{[^}]*\\b${name}\\b)`).test(body)) known.set(name, value)
  }
  const printed: string[] = []
  known.set('console', {
    log: (...values: unknown[]) =>
      void printed.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')),
    error: (...values: unknown[]) => expect.unreachable(values.join(' ')),
  })
  await new AsyncFunction(...known.keys(), body)(...known.values())
  return printed
}
