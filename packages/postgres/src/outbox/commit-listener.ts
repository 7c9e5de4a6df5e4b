import type { PgClient, PgPool } from '../sql-executor.ts'

/** Hears of commits that added messages: one connection of the pool that LISTENs. */
export class CommitListener {
  readonly #pool: PgPool
  readonly #channel: string
  readonly #heard: () => void
  #client: PgClient | undefined

  constructor(pool: PgPool, channel: string, heard: () => void) {
    this.#pool = pool
    this.#channel = channel
    this.#heard = heard
  }

  /** Connects if it is not connected. A connection that was lost is noticed here, or by itself. */
  async listen(): Promise<void> {
    if (this.#client !== undefined) return
    const client = await this.#pool.connect()
    try {
      client.on('notification', this.#heard)
      client.on('error', this.#lost)
      await client.query(`LISTEN "${this.#channel}"`)
      this.#client = client
    } catch (error) {
      this.#letGo(client)
      throw error
    }
    // What was committed before is not announced any more.
    this.#heard()
  }

  close(): void {
    if (this.#client !== undefined) this.#letGo(this.#client)
  }

  readonly #lost = (): void => {
    this.close()
    this.#heard()
  }

  #letGo(client: PgClient): void {
    if (this.#client === client) this.#client = undefined
    client.removeListener('notification', this.#heard)
    // The listener for errors stays: a connection that ends may still report one.
    client.release(true)
  }
}
