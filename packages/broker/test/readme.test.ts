import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BrokerProcess, cleanEnvironment, repository } from '../../../bench/src/broker-process.ts'
import { read } from './repository/source-files.ts'

const run = promisify(execFile)

interface Snippet {
  readonly language: string
  readonly code: string
}

const snippets: readonly Snippet[] = [...read('README.md').matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(
  ([, language, code]) => ({
    language: language!,
    code: code!,
  }),
)

/** What a reader is told to type first; `npm test` is what runs this. */
const startCommands = ['npm start\n', 'npm test\n']

let broker: BrokerProcess
let directory: string

beforeAll(async () => {
  broker = await BrokerProcess.start()
  // Inside the checkout, so that packages are found as in a project that has them installed.
  directory = mkdtempSync(join(repository, 'node_modules/.cache/readme-'))
})

afterAll(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** The snippets name the default addresses; the broker of the test has others. */
function atTestBroker(code: string): string {
  return code.replaceAll('millrace://127.0.0.1:6455', broker.url).replaceAll('http://127.0.0.1:8455', broker.httpUrl)
}

async function runShell(code: string): Promise<string> {
  const env = { ...cleanEnvironment(), MILLRACE_URL: broker.url, MILLRACE_DATA: broker.data }
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', atTestBroker(code)], { cwd: repository, env, timeout: 60_000 })
  return stdout
}

/** The snippets are TypeScript without types of their own, and so JavaScript as well. */
async function runModule(code: string, name: string): Promise<string> {
  const file = join(directory, `${name}.mjs`)
  writeFileSync(file, atTestBroker(code))
  const { stdout } = await run(process.execPath, [file], { cwd: directory, env: cleanEnvironment(), timeout: 60_000 })
  return stdout
}

test('the two commands exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'test']))
  expect(snippets.filter(({ code }) => startCommands.includes(code)).length).toBe(2)
})

test('every snippet runs, in order, and shows what the text says', async () => {
  const outputs: string[] = []
  for (const [n, { language, code }] of snippets.entries()) {
    if (startCommands.includes(code)) continue
    expect(['sh', 'ts']).toContain(language)
    outputs.push(language === 'sh' ? await runShell(code) : await runModule(code, `snippet-${n}`))
  }
  const [published, consumed, topic, leased, figures, client, embedded] = outputs
  expect(JSON.parse(published!)).toEqual({ partition: 0, offset: 0 })
  expect(consumed).toMatch(/^0\t0\t.*\thello\nhello\n$/)
  expect(topic).toBe('{"order":1,"state":"paid"}\n{"order":1,"state":"shipped"}\n')
  expect(leased).toContain('"offset":1')
  expect(figures).toContain('mail\t0\t0\t')
  expect(figures).toContain('millrace_messages_published_total')
  expect(client).toBe('order { order: 1, total: 42 } attempt 1\n')
  expect(embedded).toBe('resize image 7\n')
})
