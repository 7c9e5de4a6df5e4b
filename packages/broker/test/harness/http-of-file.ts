import { afterAll, beforeAll } from 'vitest'
import type { Broker } from '../../src/core/broker.ts'
import { type RunningServer, startServer } from '../../src/server/compose.ts'
import { loadConfig } from '../../src/server/config/load.ts'
import { silentLog } from '../../src/server/log/log.ts'

export interface HttpAnswer {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape are compared
  readonly body: any
}

/** The HTTP API of a broker in memory that all tests of a file use. */
export class HttpOfFile {
  #server: RunningServer | undefined

  constructor() {
    beforeAll(async () => {
      const flags = { engine: 'memory', listen: ['native=none', 'http=0'] }
      this.#server = await startServer(await loadConfig({ flags }), silentLog)
    })
    afterAll(() => this.#server!.close())
  }

  get broker(): Broker {
    return this.#server!.broker
  }

  get url(): string {
    return `http://${this.#server!.listeners['http']}`
  }

  /** @param body text is sent as it is, others as JSON */
  readonly call = async (method: string, path: string, body?: object | string): Promise<HttpAnswer> => {
    const isText = typeof body === 'string'
    const response = await fetch(`${this.url}${path}`, {
      method,
      ...(isText ? {} : { headers: { 'content-type': 'application/json' } }),
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}
