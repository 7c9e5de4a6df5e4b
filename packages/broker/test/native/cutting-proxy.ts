import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy that loses connections when told to, in the middle of whatever they carry. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server = createServer({ noDelay: true }, (client) => this.#accept(client))
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #targetPort: number
  cuts = 0

  private constructor(targetPort: number) {
    this.#targetPort = targetPort
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `millrace://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Where new connections go. */
  retarget(port: number): void {
    this.#targetPort = port
  }

  /** What brokers say on the connections that there are is lost from now on; what clients say still gets through. */
  muteBroker(): void {
    for (const [client, broker] of this.#pairs) {
      broker.unpipe(client)
      broker.resume()
    }
  }

  /** Ends all connections at once. Bytes that are under way are lost. */
  cut(): void {
    if (this.#pairs.size > 0) this.cuts++
    for (const [client, broker] of this.#pairs) {
      client.destroy()
      broker.destroy()
    }
  }

  /** Takes no more connections, either. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  #accept(client: Socket): void {
    const broker = connect({ port: this.#targetPort, host: '127.0.0.1', noDelay: true })
    const pair = [client, broker] as const
    this.#pairs.add(pair)
    client.pipe(broker)
    broker.pipe(client)
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#pairs.delete(pair)
        other.destroy()
      })
    }
  }
}
