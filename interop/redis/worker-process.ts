import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cleanEnvironment } from '../../bench/src/broker-process.ts'

const program = fileURLToPath(new URL('worker.mjs', import.meta.url))

/** What a worker tells; `key` and `fence` are of a claim. */
export interface Told {
  readonly what: 'ready' | 'begun' | 'effect' | 'completed' | 'releasing' | 'released' | 'stale' | 'unsure' | 'duplicate'
  readonly key: string
  readonly fence: number
  /** Of `begun`: when the store was asked, and when its answer was there. */
  readonly askedMs?: number
  readonly heardMs?: number
}

export interface WorkerSettings {
  /** Of the broker. */
  readonly url: string
  readonly redisPort: number
  readonly library: 'ioredis' | 'redis'
  readonly leaseMs: number
}

/** A consumer with the Redis store, in a process of its own. */
export class WorkerProcess {
  /** All that it told, whatever became of it. */
  readonly told: Told[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor({ url, redisPort, library, leaseMs }: WorkerSettings, tell: (told: Told) => void) {
    const parameters = [program, url, String(redisPort), library, String(leaseMs)]
    this.#child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'], env: cleanEnvironment() })
    const lines = createInterface({ input: this.#child.stdout! })
    lines.on('line', (line) => {
      const told = JSON.parse(line) as Told
      this.told.push(told)
      tell(told)
    })
    this.#ended = Promise.all([once(this.#child, 'exit'), once(lines, 'close')])
  }

  /** @returns once it consumes */
  static start(settings: WorkerSettings): Promise<WorkerProcess> {
    return new Promise((resolve, reject) => {
      const worker = new WorkerProcess(settings, ({ what }) => {
        if (what === 'ready') resolve(worker)
      })
      void worker.#ended.then(() => reject(new Error('the worker ended before it was ready')))
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** In the middle of whatever it does; it may be frozen. */
  async kill(): Promise<void> {
    if (!this.isRunning) throw new Error(`the worker ended by itself, with ${this.#child.exitCode ?? this.#child.signalCode}`)
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** It does nothing any more and does not know that time goes by, until it thaws. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }
}
