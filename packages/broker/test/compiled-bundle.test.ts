import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cleanEnvironment, repository, temporaryDirectory } from '../../../bench/src/broker-process.ts'

const broker = join(repository, 'packages/broker')
const { version } = JSON.parse(readFileSync(join(broker, 'package.json'), 'utf8')) as { version: string }
const SIGNATURE_BYTES = 32
let copy = ''

// The command with its bundle, as a package has it, so that what was built stays as it is.
beforeEach(() => {
  copy = temporaryDirectory()
  for (const part of ['bin', 'dist/bundle', 'package.json']) cpSync(join(broker, part), join(copy, part), { recursive: true })
})

afterEach(() => rmSync(copy, { recursive: true, force: true }))

/** Runs the command, and tells which chunks Node has loaded itself, which it does when there is no compiled code for it. */
function run(parameters: readonly string[], nodeOptions: readonly string[] = []): { stdout: string; byNode: number } {
  const program = `
    process.argv.splice(1, 0, 'millrace')
    process.on('exit', () => process.stderr.write(JSON.stringify(Object.keys(require.cache))))
    require(${JSON.stringify(join(copy, 'bin/load-bundle.cjs'))}).loadBundle()`
  const options = { env: cleanEnvironment(), encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeOptions, '-e', program, '--', ...parameters], options)
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^\[.*\]$/) as string })
  const loaded = JSON.parse(stderr) as string[]
  return { stdout, byNode: loaded.filter((file) => file.startsWith(join(copy, 'dist/bundle'))).length }
}

function compiledFiles(): string[] {
  const directory = join(copy, 'dist/bundle')
  return readdirSync(directory).flatMap((name) => (name.endsWith('.compiled') ? [join(directory, name)] : []))
}

test('the command runs from what was compiled when it was built', () => {
  expect(compiledFiles().length).toBeGreaterThan(5)
  expect(run(['--version'])).toEqual({ stdout: `${version}\n`, byNode: 0 })
  expect(run(['start', '--help'])).toEqual({ stdout: expect.stringContaining('--durability') as string, byNode: 0 })
})

test.each<[string, () => void]>([
  [
    'of another version of V8',
    () => {
      for (const file of compiledFiles()) {
        const bytes = readFileSync(file)
        for (let at = 0; at < SIGNATURE_BYTES; at++) bytes[at]! ^= 0xff
        writeFileSync(file, bytes)
      }
    },
  ],
  [
    'that was cut',
    () => {
      for (const file of compiledFiles()) truncateSync(file, 1000)
    },
  ],
  [
    'that is empty',
    () => {
      for (const file of compiledFiles()) truncateSync(file, 0)
    },
  ],
  [
    'that is missing',
    () => {
      for (const file of compiledFiles()) rmSync(file)
    },
  ],
])('with compiled code %s it runs from its sources', (_, spoil) => {
  spoil()
  expect(run(['--version'])).toEqual({ stdout: `${version}\n`, byNode: expect.toSatisfy((count) => count > 0) as number })
})

test('so it does with other flags of V8, and where stacks are to name the sources', () => {
  for (const option of ['--no-opt', '--enable-source-maps']) expect(run(['--version'], [option]).byNode).toBeGreaterThan(0)
})

test('one chunk without compiled code runs beside others that have it', () => {
  for (const file of compiledFiles()) if (file.includes('shared')) truncateSync(file, 1000)
  expect(run(['start', '--help'])).toEqual({ stdout: expect.stringContaining('--durability') as string, byNode: 0 })
})

test('a stack names the file in the package, wherever that was built, and the line', () => {
  const lines = readFileSync(join(copy, 'dist/bundle/main.cjs'), 'utf8').split('\n')
  const program = `
    process.argv.splice(1, 0, 'millrace', '--version')
    process.stdout.on = () => process.stderr.write(new Error('here').stack)
    require(${JSON.stringify(join(copy, 'bin/load-bundle.cjs'))}).loadBundle()`
  const { stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' })
  const line = /at millrace\/dist\/bundle\/main\.cjs:(\d+):/.exec(stderr)?.[1]
  expect(lines[Number(line) - 1]).toContain('process.stdout.on(')
  const telling = compiledFiles().filter((file) => readFileSync(file).includes(repository))
  expect(telling).toEqual([])
})
