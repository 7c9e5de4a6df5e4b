import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../bench/src/free-port.ts'

/** The `redis-server` of this machine, with nothing in it. */
export class RedisServer {
  readonly port: number
  readonly #process: ChildProcess
  readonly #directory: string

  private constructor(port: number, server: ChildProcess, directory: string) {
    this.port = port
    this.#process = server
    this.#directory = directory
  }

  static async start(): Promise<RedisServer> {
    const port = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'millrace-redis-'))
    const parameters = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory]
    const server = spawn('redis-server', parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
    process.once('exit', () => server.kill('SIGKILL'))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error('These tests need `redis-server` (Debian: apt-get install redis-server).', { cause })),
      )
      server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}.`)))
      server.stdout.on('data', (text: Buffer) => {
        if (text.toString().includes('Ready to accept connections')) resolve()
      })
    })
    return new RedisServer(port, server, directory)
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await ended
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
