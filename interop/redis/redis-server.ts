import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../bench/src/free-port.ts'

/** What it has answered is in a file that was synced. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']

/** The `redis-server` of this machine, with nothing in it. Lives in a directory of its own. */
export class RedisServer {
  readonly port: number
  readonly #directory: string
  readonly #parameters: readonly string[]
  #process!: ChildProcess

  private constructor(port: number, directory: string, parameters: readonly string[]) {
    this.port = port
    this.#directory = directory
    this.#parameters = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory, ...parameters]
  }

  /** @param durable whether what it answered survives `restart` */
  static async start({ durable = false } = {}): Promise<RedisServer> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-redis-'))
    const server = new RedisServer(await freePort(), directory, durable ? DURABLE : [])
    await server.#run()
    return server
  }

  /** Killed in the middle of whatever it does, and started again with what is on disk. */
  async restart(): Promise<void> {
    await this.#end('SIGKILL')
    await this.#run()
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #run(): Promise<void> {
    const server = spawn('redis-server', this.#parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
    const kill = (): void => void server.kill('SIGKILL')
    process.once('exit', kill)
    server.once('exit', () => process.off('exit', kill))
    this.#process = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error('These tests need `redis-server` (Debian: apt-get install redis-server).', { cause })),
      )
      server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}.`)))
      server.stdout.on('data', (text: Buffer) => {
        if (text.toString().includes('Ready to accept connections')) resolve()
      })
    })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.kill(signal)
    await ended
  }
}
