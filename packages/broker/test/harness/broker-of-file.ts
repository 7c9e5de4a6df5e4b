import { afterAll, beforeAll } from 'vitest'
import { BrokerProcess } from '../../../../bench/src/broker-process.ts'
import { commandsFor, outputsOf } from './run-command.ts'

/** A broker process that is there for all tests of a file, and commands that talk to it. */
export class BrokerOfFile {
  #broker: BrokerProcess | undefined

  constructor() {
    beforeAll(async () => {
      this.#broker = await BrokerProcess.start()
    })
    afterAll(async () => {
      await this.#broker?.stop()
    })
  }

  get process(): BrokerProcess {
    return this.#broker!
  }

  readonly run: ReturnType<typeof commandsFor> = (...call) => commandsFor(this.process.url)(...call)

  /** Of a command that must succeed: its stdout. */
  readonly out: ReturnType<typeof outputsOf> = outputsOf(this.run)

  /** The same, parsed. */
  readonly json = async (...parameters: string[]): Promise<unknown> => JSON.parse(await this.out(...parameters, '-o', 'json'))
}
