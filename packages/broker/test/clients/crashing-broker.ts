/** A broker in virtual time that is killed at any commit and starts again from its journal, and clients that live and die on their own. */
import { connectInProcess, type ConnectOptions, type Millrace } from '@millrace/client'
import { crc32c } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Broker } from '../../src/core/broker.ts'
import { openBroker } from '../../src/core/open-broker.ts'
import { openMemoryJournal } from '../../src/engines/memory/index.ts'
import type { Journal } from '../../src/ports/journal.ts'
import { CommitWaiters } from '../../src/protocols/commit-waiters.ts'
import { nativeDoor } from '../../src/protocols/native/native-door.ts'
import { openToAll } from '../../src/protocols/security.ts'
import { allowAll, type Connection, type Session, type SessionContext } from '../../src/protocols/session.ts'
import { overriding } from '../../src/server/testing/overriding.ts'
import { VirtualTime } from '../../src/server/testing/virtual-time.ts'
import type { LogStore } from '../../src/storage/log-store.ts'
import { openLogStore } from '../../src/storage/open-log-store.ts'
import { journalOver } from '../core/journal-over.ts'
import { mortalJournal } from '../core/mortal-journal.ts'
import { type Life, mortalClientPlatform, mortalPlatform } from './mortal-platforms.ts'

const START_MS: number = Date.UTC(2025, 0, 1)

/** A client as a process of its own. */
export interface ClientProcess {
  readonly client: Millrace
  readonly isDead: boolean
  /** It learns nothing any more, and does nothing; the broker sees its connections end. */
  kill(): void
}

interface PlannedCrash {
  /** Commits before it. */
  commits: number
  /** Whether the commit at which it happens is written. */
  readonly isKept: boolean
  readonly downMs: number
}

interface OpenConnection {
  /** The process at the other end. */
  readonly owner: Life
  cut(): void
  end(): void
}

export class CrashingBroker {
  readonly time: VirtualTime
  broker!: Broker
  crashes = 0
  readonly #journal: Journal
  readonly #connections = new Set<OpenConnection>()
  #life: { isOver: boolean } = { isOver: false }
  #store!: LogStore
  /** Undefined while it is down. */
  #context: SessionContext | undefined
  #planned: PlannedCrash | undefined
  #starting: Promise<void> = Promise.resolve()

  private constructor(journal: Journal, seed: number) {
    this.#journal = journal
    this.time = new VirtualTime(START_MS, seed)
  }

  static async open(seed: number): Promise<CrashingBroker> {
    const crashing = new CrashingBroker(await openMemoryJournal(), seed)
    await crashing.#open()
    return crashing
  }

  /** Uniform in 0..limit-1, by the seed. */
  below(limit: number): number {
    return this.time.platform.random.uint32() % limit
  }

  async connect(options: Omit<ConnectOptions, 'WebSocket'> = {}): Promise<ClientProcess> {
    const life = { isOver: false }
    const platform = mortalClientPlatform(this.time.clientPlatform, life)
    const patient = { reconnectDelayMs: { min: 5, max: 200 }, ...options }
    const client = await connectInProcess((connection) => this.#accept(connection, life), patient, platform)
    const connections = this.#connections
    return {
      client,
      get isDead() {
        return life.isOver
      },
      kill() {
        life.isOver = true
        for (const connection of connections) if (connection.owner === life) connection.end()
      },
    }
  }

  /** The next commit but `commits` is its last: written, or lost. */
  crashAt(commits: number, isKept: boolean, downMs: number): void {
    this.#planned ??= { commits, isKept, downMs }
  }

  /** Nothing that was planned happens; what happens already is waited for. */
  async calm(): Promise<void> {
    this.#planned = undefined
    await this.time.until(this.#starting)
  }

  /** Everything stops, and in the end it starts anew. */
  crash(downMs: number): void {
    this.crashes++
    this.#end()
    this.#starting = this.time.sleep(downMs).then(() => this.#open())
    // Whoever calms it hears of it.
    this.#starting.catch(() => {})
  }

  /** As an operator does. */
  async restart(): Promise<void> {
    const { broker } = this
    const store = this.#store
    this.crashes++
    this.#context = undefined
    for (const connection of this.#connections) connection.cut()
    await this.time.until(broker.close())
    await this.time.until(store.close())
    this.#end()
    await this.#open()
  }

  close(): void {
    this.#end()
    this.time.stop()
  }

  #end(): void {
    this.#life.isOver = true
    this.#context = undefined
    this.#planned = undefined
    for (const connection of this.#connections) connection.cut()
  }

  async #open(): Promise<void> {
    const life = { isOver: false }
    this.#life = life
    const platform = mortalPlatform(this.time.platform, life)
    const journal = this.#crashingJournal(mortalJournal(this.#journal, life), life)
    this.#store = await openLogStore({ journal, platform, crc32c, limits: { tailCacheBytes: 20_000, indexRunEntries: 8 } })
    const limits = { stateLogBytesFloor: 20_000 }
    this.broker = await openBroker({ store: this.#store, platform, crc32c, limits })
    const { broker } = this
    this.#context = {
      broker,
      platform: mortalPlatform(this.time.sessionPlatform, life),
      commits: new CommitWaiters(broker),
      identity: { brokerId: broker.id, brokerVersion: '0.0.0' },
      authorize: allowAll,
      security: openToAll,
      status: () => ({ version: '0.0.0', pid: 1, uptimeMs: 1, engine: 'memory', durability: 'none', listeners: {} }),
    }
  }

  #crashingJournal(journal: Journal, life: Life): Journal {
    return journalOver(journal, {
      append: (seq, batch) => {
        const planned = this.#planned
        if (planned === undefined || life.isOver || planned.commits-- > 0) return journal.append(seq, batch)
        if (planned.isKept) void journal.append(seq, batch)
        this.crash(planned.downMs)
        return new Promise<never>(() => {})
      },
    })
  }

  /** @throws MillraceError `closed` while it is down */
  #accept(connection: Connection, owner: Life): Session {
    const context = this.#context
    if (context === undefined) throw new MillraceError('closed', 'the broker is down')
    let isCut = false
    const wire = overriding(connection, {
      write: (chunks) => {
        if (!isCut) connection.write(chunks)
      },
    })
    const session = nativeDoor.accept(wire, context)
    const open: OpenConnection = {
      owner,
      cut: () => {
        isCut = true
        this.#connections.delete(open)
        connection.close()
      },
      end: () => {
        isCut = true
        this.#connections.delete(open)
        session.connectionClosed()
      },
    }
    this.#connections.add(open)
    return overriding(session, {
      receive: (bytes) => {
        if (!isCut) session.receive(bytes)
      },
      // On the clock of sessions, which stands still.
      tick: () => {
        if (!isCut) session.tick(0)
      },
      connectionClosed: () => {
        if (!isCut) open.end()
      },
    })
  }
}
