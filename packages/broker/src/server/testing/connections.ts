import { MillraceError } from '../../base/errors.ts'
import type { Broker } from '../../core/broker.ts'
import { nativeDoor } from '../../protocols/native/native-door.ts'
import type { Connection, Session, SessionContext } from '../../protocols/session.ts'
import { overriding } from './overriding.ts'
import { spiedBroker, type SpyContext } from './spied-broker.ts'

/** The connections of a test broker's clients: each is spied on, and can be cut. */
export class Connections {
  readonly #spies: SpyContext
  readonly #contextWith: (broker: Broker) => SessionContext
  readonly #cuts = new Set<() => void>()
  /** Who keeps it out of reach. */
  #absences = 0

  constructor(spies: SpyContext, contextWith: (broker: Broker) => SessionContext) {
    this.#spies = spies
    this.#contextWith = contextWith
  }

  /** @throws MillraceError `closed` while the broker is out of reach */
  accept(connection: Connection): Session {
    if (this.#absences > 0) throw new MillraceError('closed', 'the test keeps its broker out of reach')
    let isCut = false
    const cut = (): void => {
      if (isCut) return
      isCut = true
      connection.close()
    }
    // Once it is cut nothing gets through in either direction, also what the session still has to say.
    const wire = overriding(connection, {
      write: (chunks) => {
        if (!isCut) connection.write(chunks)
      },
    })
    const session = nativeDoor.accept(wire, this.#contextWith(spiedBroker(this.#spies, cut)))
    this.#cuts.add(cut)
    return overriding(session, {
      receive: (bytes) => {
        if (!isCut) session.receive(bytes)
      },
      // On the clock of sessions, which stands still.
      tick: () => session.tick(0),
      connectionClosed: () => {
        this.#cuts.delete(cut)
        session.connectionClosed()
      },
    })
  }

  cutAll(): void {
    for (const cut of this.#cuts) cut()
  }

  /** Cuts all, and takes none before `reachable` resolves. */
  async keepAway(reachable: Promise<void>): Promise<void> {
    this.#absences++
    this.cutAll()
    await reachable
    this.#absences--
  }
}
