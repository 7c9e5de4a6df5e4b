// Installs and builds what is missing or out of date. Runs on a bare Node, so it imports nothing but Node itself.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Millrace needs Node 20.19 or newer; this is ${process.versions.node}.`)
  process.exit(1)
}

/** Runs a program to its end; its output goes to stderr, so that a command's own stdout stays clean. */
export function run(command, parameters, options = {}) {
  const done = spawnSync(command, parameters, {
    cwd: root,
    stdio: ['inherit', 2, 2],
    shell: process.platform === 'win32',
    ...options,
  })
  if (done.error) throw done.error
  if (done.status !== 0) {
    console.error(`\`${[command, ...parameters].join(' ')}\` failed with exit code ${done.status ?? done.signal}.`)
    process.exit(done.status ?? 1)
  }
}

function newestChange(directory) {
  let newest = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue
    const path = join(directory, entry.name)
    newest = Math.max(newest, entry.isDirectory() ? newestChange(path) : statSync(path).mtimeMs)
  }
  return newest
}

const builtStamp = join(root, 'node_modules/.millrace-built')
const changedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

export function setUp() {
  const installed = join(root, 'node_modules/.millrace-installed')
  if (changedAt(installed) < changedAt(join(root, 'package-lock.json'))) {
    console.error('Installing packages...')
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
    writeFileSync(installed, '')
  }
  const folders = ['packages', 'bench', 'examples'].map((folder) => newestChange(join(root, folder)))
  const sources = Math.max(...folders, changedAt(installed))
  if (changedAt(builtStamp) <= sources || builtBy() !== process.version) {
    console.error('Building...')
    build()
  }
}

export function build() {
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'])
  run(process.execPath, [join(root, 'scripts/bundle.mjs')])
  writeFileSync(builtStamp, process.version)
}

/** The version of Node: what V8 compiled (docs/adr/0010-compiled-code-is-built.md) is for that one alone. */
function builtBy() {
  return existsSync(builtStamp) ? readFileSync(builtStamp, 'utf8') : undefined
}
