import type { ConnectOptions } from '@millrace/client'
import type { ClientProcess, CrashingBroker } from './crashing-broker.ts'

/** A random program of clients whose broker is killed at any commit. What went wrong is told with the last things that happened. */
export abstract class CrashingProgram {
  protected readonly broker: CrashingBroker
  /** The first thing that was wrong, found by whoever saw it. */
  protected failure: Error | undefined
  readonly #log: string[] = []

  protected constructor(broker: CrashingBroker) {
    this.broker = broker
  }

  async run(steps: number): Promise<void> {
    try {
      for (let n = 0; n < steps; n++) {
        await this.step()
        this.throwFailure()
      }
      await this.drain()
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#log.slice(-60).join('\n')}`, { cause: error })
    } finally {
      this.broker.close()
    }
  }

  protected abstract step(): Promise<void>

  /** Nothing fails any more, until all is done; then everything must be in its place. */
  protected abstract drain(): Promise<void>

  protected throwFailure(): void {
    if (this.failure !== undefined) throw this.failure
  }

  /** After fewer than `commitsMax` commits. */
  protected planCrash(commitsMax: number): void {
    const commits = this.broker.below(commitsMax)
    const isKept = this.broker.below(2) === 0
    const downMs = this.broker.below(3) === 0 ? this.broker.below(3000) : 0
    this.note(`crash after ${commits} commits, the last is ${isKept ? 'kept' : 'lost'}, for ${downMs} ms`)
    this.broker.crashAt(commits, isKept, downMs)
  }

  protected async restart(): Promise<void> {
    this.note('restart')
    await this.broker.calm()
    await this.broker.restart()
  }

  protected async connect(options?: Pick<ConnectOptions, 'clientId'>): Promise<ClientProcess> {
    await this.broker.calm()
    const connecting = this.broker.connect(options)
    await this.broker.time.until(connecting)
    return connecting
  }

  protected async advance(ms: number): Promise<void> {
    this.note(`advance ${ms}`)
    await this.broker.time.advance(ms)
  }

  protected get nowMs(): number {
    return this.broker.time.nowMs
  }

  protected anyOf<T>(all: readonly T[]): T | undefined {
    return all[this.broker.below(Math.max(1, all.length))]
  }

  protected note(what: string): void {
    this.#log.push(what)
  }
}
