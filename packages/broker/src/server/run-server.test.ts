import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** For `expect.poll`: machines that are busy need time, and a test that passes does not use it up. */
const soon = { timeout: 20_000 }

// A real process of the built broker: `npm test` builds before it tests.
const built = new URL('../../dist/server/', import.meta.url)
// `faultyDisk` stands for a disk that fails while the broker runs.
const program = `
  if (process.argv[3] === 'faultyDisk') {
    const { default: fs } = await import('node:fs')
    const { syncBuiltinESMExports } = await import('node:module')
    const { write, writeSync } = fs
    let broken = false
    const error = () => Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
    fs.write = (fd, ...rest) => (broken && fd > 2 ? rest.at(-1)(error()) : write(fd, ...rest))
    fs.writeSync = (fd, ...rest) => {
      if (broken && fd > 2) throw error()
      return writeSync(fd, ...rest)
    }
    syncBuiltinESMExports()
    process.on('SIGUSR2', () => (broken = true))
  }
  const { loadConfig } = await import(process.argv[1] + 'config/load.js')
  const { runServer } = await import(process.argv[1] + 'run-server.js')
  if (process.argv[3] === 'fault') setTimeout(() => { throw new TypeError('a bug') }, 200)
  process.exit(await runServer(await loadConfig({ flags: JSON.parse(process.argv[2]) })))
`

let directory: string
const running: ChildProcess[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-run-'))
})
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  rmSync(directory, { recursive: true })
})

interface Process {
  readonly child: ChildProcess
  readonly exit: Promise<number | null>
  events(): string[]
}

function run(flags: Record<string, unknown> = {}, ...more: string[]): Process {
  const settings = {
    data: join(directory, 'data'),
    listen: ['none', 'native=0', 'http=0'],
    readyFile: join(directory, 'ready.json'),
    ...flags,
  }
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, pathToFileURL(built.pathname).href, JSON.stringify(settings), ...more],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  running.push(child)
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const exit = once(child, 'close').then(([code]) => code as number | null)
  return { child, exit, events: () => [...log.matchAll(/"event":"([a-z.]+)"/g)].map(([, event]) => event!) }
}

async function ready(): Promise<{ pid: number; listeners: Record<string, string> }> {
  const path = join(directory, 'ready.json')
  await expect.poll(() => existsSync(path), soon).toBe(true)
  return JSON.parse(readFileSync(path, 'utf8')) as { pid: number; listeners: Record<string, string> }
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s drains: waiting clients are answered, the exit code is 0', async (signal) => {
  const broker = run()
  const { pid, listeners } = await ready()
  expect(pid).toBe(broker.child.pid)
  const url = `http://${listeners['http']}/v1/queues/q`
  await fetch(url, { method: 'PUT' })
  const waiting = fetch(`${url}/messages/receive?waitMs=30000`, { method: 'POST' })
  await expect.poll(async () => ((await (await fetch(url)).json()) as { consumers: number }).consumers, soon).toBe(1)
  broker.child.kill(signal)
  expect((await waiting).status).toBe(503)
  expect(await broker.exit).toBe(0)
  expect(existsSync(join(directory, 'ready.json'))).toBe(false)
  expect(broker.events()).toEqual(['broker.ready', 'broker.draining', 'broker.stopped'])
})

test('a second signal ends the process at once', async () => {
  const broker = run({ drainTimeoutMs: '1h' })
  const { listeners } = await ready()
  // An upload that does not end keeps the drain waiting.
  const [host, port] = listeners['http']!.split(':') as [string, string]
  const stuck = connect(Number(port), host)
  await once(stuck, 'connect')
  stuck.on('error', () => {})
  stuck.write('POST /v1/queues/q/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n')
  await once(stuck, 'data')
  stuck.write('half')
  broker.child.kill('SIGTERM')
  await expect.poll(() => broker.events(), soon).toContain('broker.draining')
  expect(broker.child.exitCode).toBeNull()
  broker.child.kill('SIGTERM')
  expect(await broker.exit).toBe(143)
  stuck.destroy()
})

test('what was confirmed survives kill -9', async () => {
  run()
  const first = await ready()
  const answer = await fetch(`http://${first.listeners['http']}/v1/queues/mail/messages`, { method: 'POST', body: 'hello' })
  expect(answer.status).toBe(201)
  process.kill(first.pid, 'SIGKILL')
  rmSync(join(directory, 'ready.json'))
  run()
  const second = await ready()
  const peeked = (await (await fetch(`http://${second.listeners['http']}/v1/queues/mail/messages`)).json()) as {
    messages: unknown
  }
  expect(peeked.messages).toMatchObject([{ offset: 0, body: 'hello' }])
})

test('a fault ends the process with a line that says so', async () => {
  const broker = run({}, 'fault')
  expect(await broker.exit).toBe(1)
  expect(broker.events().at(-1)).toBe('broker.failed')
})

test('a disk that fails: what was not confirmed is answered as unknown, the process ends, a new one recovers', async () => {
  const broker = run({}, 'faultyDisk')
  const { listeners } = await ready()
  const url = `http://${listeners['http']}/v1/queues/q/messages`
  expect((await fetch(url, { method: 'POST', body: 'kept' })).status).toBe(201)
  broker.child.kill('SIGUSR2')
  // The signal and the request race: a publish may still come before the fault.
  let answer = await fetch(url, { method: 'POST', body: 'unknown' })
  while (answer.status === 201) answer = await fetch(url, { method: 'POST', body: 'unknown' })
  expect(answer.status).toBe(500)
  expect(await answer.json()).toMatchObject({ code: 'outcome_unknown' })
  expect(await broker.exit).toBe(1)
  expect(broker.events()).toContain('broker.failed')

  rmSync(join(directory, 'ready.json'))
  run()
  const again = await ready()
  const peeked = await fetch(`http://${again.listeners['http']}/v1/queues/q/messages`)
  expect(((await peeked.json()) as { messages: unknown[] }).messages[0]).toMatchObject({ offset: 0, body: 'kept' })
})
