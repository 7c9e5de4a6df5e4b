// Runs the bundled broker once and keeps the code that V8 compiled for it, so that starts need not compile it again.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { loadBundleToCompile, writeCompiled } from '../packages/broker/bin/load-bundle.cjs'

const READY_TIMEOUT_MS = 60_000

const directory = mkdtempSync(fileURLToPath(new URL('../packages/broker/dist/compile-', import.meta.url)))
const readyFile = join(directory, 'ready.json')
const doors = ['native', 'http', 'kafka', 'amqp', 'management'].map((door) => `--listen=${door}=127.0.0.1:0`)
for (const name of Object.keys(process.env)) if (name.startsWith('MILLRACE_')) delete process.env[name]

process.argv.splice(2, Infinity, 'start', `--data=${join(directory, 'data')}`, `--ready-file=${readyFile}`, '--log-level=warn')
process.argv.push('--listen=none', ...doors)
process.on('exit', (code) => {
  rmSync(directory, { recursive: true, force: true })
  if (code !== 0) return
  // V8 refuses code that was compiled with other flags; these are the ones that a running broker sets (server/heap-growth.ts).
  for (const flag of ['--heap-growing-percent=0', '--semi-space-growth-factor=2']) setFlagsFromString(flag)
  writeCompiled()
})

loadBundleToCompile()
await whenReady()
await firstRequests()
process.kill(process.pid, 'SIGTERM')

async function whenReady() {
  const startedMs = performance.now()
  while (!existsSync(readyFile)) {
    if (performance.now() - startedMs > READY_TIMEOUT_MS) throw new Error('the bundled broker did not get ready')
    await sleep(10)
  }
}

/** What a broker meets first, so that this is compiled too. */
async function firstRequests() {
  const { listeners } = JSON.parse(readFileSync(readyFile, 'utf8'))
  for (const [method, path, body] of [
    ['POST', '/v1/queues/first/messages', 'hello'],
    ['POST', '/v1/queues/first/messages/receive?max=1'],
    ['GET', '/metrics'],
  ]) {
    const answer = await fetch(`http://${listeners.http}${path}`, { method, body })
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${await answer.text()}`)
    await answer.arrayBuffer()
  }
}
