import { connect, type Millrace, type UserSpec } from '@millrace/client'
import { type RunningServer, startServer } from '../../packages/broker/src/server/compose.ts'
import { loadConfig } from '../../packages/broker/src/server/config/load.ts'
import { silentLog } from '../../packages/broker/src/server/log/log.ts'

/** A broker with all doors, in this process and in memory. */
export class AmqpServer {
  /** `amqp://127.0.0.1:PORT`. */
  readonly url: string
  readonly port: number
  readonly httpUrl: string
  readonly kafkaBrokers: readonly string[]
  readonly #managementUrl: string
  readonly native: Millrace
  readonly broker: RunningServer['broker']
  readonly #server: RunningServer

  private constructor(server: RunningServer, native: Millrace) {
    const address = server.listeners['amqp']!
    this.#server = server
    this.native = native
    this.url = `amqp://${address}`
    this.port = Number(address.split(':')[1])
    this.httpUrl = `http://${server.listeners['http']}`
    this.#managementUrl = `http://${server.listeners['management']}/api`
    this.kafkaBrokers = [server.listeners['kafka']!]
    this.broker = server.broker
  }

  /** @param flags settings besides @param users of whom the first may administer */
  static async start(flags: Readonly<Record<string, unknown>> = {}, users: readonly UserSpec[] = []): Promise<AmqpServer> {
    const listen = ['native=0', 'http=0', 'kafka=0', 'amqp=0', 'management=0']
    const config = await loadConfig({ flags: { engine: 'memory', listen, drainTimeoutMs: 2000, ...flags } })
    const server = await startServer(config, silentLog)
    for (const user of users) server.security.users.create(user)
    const [admin] = users
    const login = admin === undefined ? {} : { user: admin.name, password: admin.password! }
    return new AmqpServer(server, await connect(`millrace://${server.listeners['native']}`, login))
  }

  /** A request of the management API. @param path behind `/api` @returns the body of the answer @throws for any but a success */
  async management(method: string, path: string): Promise<unknown> {
    const headers = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` }
    const response = await fetch(this.#managementUrl + path, { method, headers })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async stop(): Promise<void> {
    await this.native.close()
    await this.#server.close()
  }
}
