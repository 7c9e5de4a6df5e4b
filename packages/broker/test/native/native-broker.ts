import {
  connectInProcess,
  type ConnectOptions,
  type InProcessConnection,
  type InProcessSession,
  type Millrace,
} from '@millrace/client'
import { openBroker } from '../../src/core/open-broker.ts'
import { crc32c } from '../../src/engines/disk/checksum.ts'
import { openMemoryJournal } from '../../src/engines/memory/index.ts'
import { CommitWaiters } from '../../src/protocols/commit-waiters.ts'
import { nativeDoor } from '../../src/protocols/native/native-door.ts'
import { openToAll } from '../../src/protocols/security.ts'
import { allowAll, type SessionContext } from '../../src/protocols/session.ts'
import type { Listener } from '../../src/server/listeners/listener.ts'
import { openTcpListener } from '../../src/server/listeners/tcp-listener.ts'
import { silentLog } from '../../src/server/log/log.ts'
import { nodePlatform } from '../../src/server/node-platform.ts'
import { openLogStore } from '../../src/storage/open-log-store.ts'

/** A broker on the memory engine behind the native door, and clients of it. */
export interface NativeBroker extends AsyncDisposable {
  readonly context: SessionContext
  accept(connection: InProcessConnection): InProcessSession & { drain(): void }
  connect(options?: Omit<ConnectOptions, 'WebSocket'>): Promise<Millrace>
  /** Opens a TCP port. */
  listen(): Promise<number>
  /** Drains the connections of all ports. */
  closeListeners(): Promise<void>
  close(): Promise<void>
}

export async function startNativeBroker(): Promise<NativeBroker> {
  const platform = nodePlatform()
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  const commits = new CommitWaiters(broker)
  const context: SessionContext = {
    broker,
    platform,
    commits,
    identity: { brokerId: 'test', brokerVersion: '0.0.0' },
    authorize: allowAll,
    security: openToAll,
    status: () => ({ version: '0.0.0', pid: 1, uptimeMs: 1, engine: 'memory', durability: 'none', listeners: {} }),
  }
  const clients: Millrace[] = []
  const listeners: Listener[] = []
  const accept = (connection: InProcessConnection) => nativeDoor.accept(connection, context)
  const closeListeners = async (): Promise<void> => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close(1000)))
  }
  const close = async (): Promise<void> => {
    await Promise.allSettled(clients.map((client) => client.close()))
    await closeListeners()
    await broker.close()
    commits.close()
    await store.close()
    await journal.close()
  }
  return {
    context,
    accept,
    async connect(options) {
      const client = await connectInProcess(accept, options)
      clients.push(client)
      return client
    },
    async listen() {
      const entry = { door: 'native', name: 'native', host: '127.0.0.1', port: 0, asked: true } as const
      const limits = { connectionsMax: 1000, connectionsPerAddressMax: 1000, outputBytesMax: 4 * 1024 * 1024 }
      const listener = (await openTcpListener(nativeDoor, entry, context, limits, silentLog))!
      listeners.push(listener)
      return Number(listener.address.split(':').at(-1))
    },
    closeListeners,
    close,
    [Symbol.asyncDispose]: close,
  }
}
