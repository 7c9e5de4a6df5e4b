import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { memoryOf } from './process-memory.ts'

export const repository: string = fileURLToPath(new URL('../../', import.meta.url))
export const commandLine: string = join(repository, 'packages/broker/bin/millrace.cjs')

const READY_TIMEOUT_MS = 20_000

export interface BrokerProcessOptions {
  /** Data directory. By default a fresh one, which is removed at the end. */
  readonly data?: string
  /** Arguments of `millrace start` besides --data, --listen and --ready-file. */
  readonly arguments?: readonly string[]
  /** Options of Node itself. */
  readonly node?: readonly string[]
  /** Port per door; by default any free one. */
  readonly ports?: { readonly native?: number; readonly http?: number }
}

/** What a finished process left behind. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/** A broker in a process of its own, started through the real command line. */
export class BrokerProcess {
  /** From the spawn to the ready file. */
  readyMs = 0
  stderr = ''
  readonly data: string
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #temporary: string
  readonly #startedMs = performance.now()
  #exit: Exit | undefined
  /** Door to `HOST:PORT`. */
  #listeners: Readonly<Record<string, string>> = {}

  private constructor(options: BrokerProcessOptions) {
    this.#temporary = temporaryDirectory()
    this.data = options.data ?? join(this.#temporary, 'data')
    const { native = 0, http = 0 } = options.ports ?? {}
    const parameters = [
      ...(options.node ?? []),
      commandLine,
      'start',
      `--data=${this.data}`,
      `--ready-file=${this.#readyFile}`,
      '--listen=none',
      `--listen=native=127.0.0.1:${native}`,
      `--listen=http=127.0.0.1:${http}`,
      ...(options.arguments ?? []),
    ]
    this.#child = spawn(process.execPath, parameters, { stdio: ['ignore', 'ignore', 'pipe'], env: cleanEnvironment() })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        this.#exit = { code, signal, stderr: this.stderr }
        resolve(this.#exit)
      })
    })
  }

  /** Resolves when all listeners accept connections. @throws when the process ends before that */
  static async start(options: BrokerProcessOptions = {}): Promise<BrokerProcess> {
    const broker = new BrokerProcess(options)
    await broker.#ready()
    return broker
  }

  /** Starts it and kills it after a while, ready or not. */
  static async startAndKill(options: BrokerProcessOptions, afterMs: number): Promise<Exit> {
    const broker = new BrokerProcess(options)
    await sleep(afterMs)
    return broker.kill()
  }

  /** For a start that is expected to fail. */
  static async startToFail(options: BrokerProcessOptions): Promise<Exit> {
    const broker = new BrokerProcess(options)
    return broker.#ended()
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** `millrace://HOST:PORT` */
  get url(): string {
    return `millrace://${this.address('native')}`
  }

  /** `http://HOST:PORT` */
  get httpUrl(): string {
    return `http://${this.address('http')}`
  }

  /** `HOST:PORT` of a door. @throws for one that `arguments` do not open */
  address(door: string): string {
    const address = this.#listeners[door]
    if (address === undefined) throw new Error(`the broker does not listen for ${door}`)
    return address
  }

  port(door: string): number {
    return Number(this.address(door).split(':').at(-1))
  }

  /** Physical memory in use, in bytes. */
  rssBytes(): number {
    return memoryOf(this.pid).rss
  }

  /** Sum over the series of a metric. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.httpUrl}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    if (lines.length === 0) throw new Error(`/metrics has no ${name}`)
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<Exit> {
    this.#child.kill('SIGKILL')
    return this.#ended()
  }

  /** Lets it drain, and removes its temporary files. */
  async stop(): Promise<Exit> {
    this.#child.kill('SIGTERM')
    return this.#ended()
  }

  /** Its own directory goes; one that it was given stays. */
  async #ended(): Promise<Exit> {
    const exit = await this.exited
    rmSync(this.#temporary, { recursive: true, force: true })
    return exit
  }

  get #readyFile(): string {
    return join(this.#temporary, 'ready.json')
  }

  async #ready(): Promise<void> {
    while (!existsSync(this.#readyFile)) {
      if (this.#exit !== undefined)
        throw new Error(`the broker ended with ${this.#exit.code ?? this.#exit.signal}: ${this.stderr}`)
      if (performance.now() - this.#startedMs > READY_TIMEOUT_MS)
        throw new Error(`the broker was not ready in time: ${this.stderr}`)
      await sleep(2)
    }
    this.readyMs = performance.now() - this.#startedMs
    const ready = JSON.parse(readFileSync(this.#readyFile, 'utf8')) as { listeners: Record<string, string> }
    this.#listeners = ready.listeners
  }
}

/** In the checkout rather than in /tmp, which is often memory: these files are about disks. */
export function temporaryDirectory(): string {
  const cache = join(repository, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  return mkdtempSync(join(cache, 'millrace-'))
}

/** Settings of whoever runs this must not reach the broker. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')))
}
