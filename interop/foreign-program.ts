import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { vi } from 'vitest'

const RUN_TIMEOUT_MS = 180_000
const WAIT_TIMEOUT_MS = 90_000

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A program of others while it runs. What it writes is kept. */
export class Program {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #name: string
  readonly #closed: Promise<unknown>

  constructor(command: string, parameters: readonly string[], input = '') {
    this.#name = [command, ...parameters].join(' ')
    this.#child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'pipe'], timeout: RUN_TIMEOUT_MS, killSignal: 'SIGKILL' })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    // One that ends early does not read.
    this.#child.stdin!.on('error', () => undefined).end(input)
    this.#closed = once(this.#child, 'close')
  }

  /** For messages. */
  get report(): string {
    return `${this.#name}: ended with ${this.#child.exitCode ?? this.#child.signalCode}\n${this.stdout}\n${this.stderr}`
  }

  /** Repeats `check` until it does not throw. @throws with what the program wrote */
  async until(check: () => Promise<void> | void): Promise<void> {
    try {
      await vi.waitFor(check, { timeout: WAIT_TIMEOUT_MS, interval: 100 })
    } catch (error) {
      throw new Error(this.report, { cause: error })
    }
  }

  async ended(): Promise<Outcome> {
    await this.#closed
    return { code: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr }
  }

  async stop(signal: NodeJS.Signals): Promise<Outcome> {
    this.#child.kill(signal)
    return this.ended()
  }
}

/** @returns what it wrote to stdout. @throws when it fails */
export async function output(command: string, parameters: readonly string[], input?: string): Promise<string> {
  const program = new Program(command, parameters, input)
  const { code, stdout } = await program.ended()
  if (code !== 0) throw new Error(program.report)
  return stdout
}
