import { connect, type Millrace, type UserSpec } from '@millrace/client'
import { type RunningServer, startServer } from '../../packages/broker/src/server/compose.ts'
import { loadConfig } from '../../packages/broker/src/server/config/load.ts'
import { silentLog } from '../../packages/broker/src/server/log/log.ts'

/** A broker with all doors, in this process and in memory. */
export class KafkaServer {
  readonly brokers: string[]
  readonly native: Millrace
  readonly httpUrl: string
  readonly #server: RunningServer

  private constructor(server: RunningServer, native: Millrace) {
    this.#server = server
    this.native = native
    this.brokers = [server.listeners['kafka']!]
    this.httpUrl = `http://${server.listeners['http']}`
  }

  /** @param flags settings besides @param users of whom the first may administer */
  static async start(flags: Readonly<Record<string, unknown>> = {}, users: readonly UserSpec[] = []): Promise<KafkaServer> {
    const listen = ['native=0', 'http=0', 'kafka=0']
    const config = await loadConfig({ flags: { engine: 'memory', listen, drainTimeoutMs: 2000, ...flags } })
    const server = await startServer(config, silentLog)
    for (const user of users) server.security.users.create(user)
    const [admin] = users
    const login = admin === undefined ? {} : { user: admin.name, password: admin.password! }
    return new KafkaServer(server, await connect(`millrace://${server.listeners['native']}`, login))
  }

  async stop(): Promise<void> {
    await this.native.close()
    await this.#server.close()
  }

  /** Values of all messages of a topic, by HTTP. */
  async valuesByHttp(topic: string): Promise<string[]> {
    const response = await fetch(`${this.httpUrl}/v1/topics/${topic}/messages?from=earliest&max=1000`)
    const { messages } = (await response.json()) as { messages: { body: string }[] }
    return messages.map(({ body }) => body)
  }

  /** The same, by the native protocol. */
  async valuesByNative(topic: string, count: number, partition = 0): Promise<string[]> {
    const values: string[] = []
    for await (const message of this.native.topic(topic).read({ from: 'earliest', partition })) {
      values.push(message.text())
      if (values.length === count) break
    }
    return values
  }
}
