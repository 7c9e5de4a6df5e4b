import type { Millrace, Publisher } from '@millrace/client'
import type { PgClient, PgPool } from '@millrace/postgres'

/** A pool whose statements fail where the test says so, after what came before was done. */
export function poolThatFails(pool: PgPool, fails: (text: string) => boolean): PgPool {
  return {
    query: (text, values) => pool.query(text, values),
    async connect(): Promise<PgClient> {
      const client = await pool.connect()
      return new Proxy(client, {
        get(target, name) {
          if (name !== 'query') {
            const value = Reflect.get(target, name) as unknown
            return typeof value === 'function' ? (value.bind(target) as unknown) : value
          }
          return (text: string, values?: unknown[]) =>
            fails(text.trim()) ? Promise.reject(new Error('the relay died here')) : target.query(text, values)
        },
      })
    },
  }
}

type Publish = Publisher['publish']

/** The broker's client with something in front of each publish. */
export function millraceThat(
  client: Millrace,
  before: (publish: () => ReturnType<Publish>, body: string) => ReturnType<Publish>,
): Pick<Millrace, 'publisher' | 'state' | 'on'> {
  const publisher: Millrace['publisher'] = (destination, options) => {
    const real = client.publisher(destination, options)
    return new Proxy(real, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (name === 'publish') {
          const publish: Publish = (body, more) =>
            before(() => target.publish(body, more), Buffer.from(body as Uint8Array).toString())
          return publish
        }
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
  return { publisher, state: client.state, on: (event, listener) => client.on(event, listener) }
}
