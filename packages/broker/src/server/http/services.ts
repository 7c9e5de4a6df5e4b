import type { SessionContext } from '../../protocols/session.ts'
import type { BodyReader } from './body.ts'
import type { Leases } from './leases.ts'
import type { HttpPublisher } from './publish.ts'
import type { ReplyInbox } from './reply-inbox.ts'
import type { Tail } from './tail.ts'

/** What the routes work with. Built by `compose`. */
export interface HttpServices {
  readonly session: SessionContext
  readonly bodies: BodyReader
  readonly leases: Leases
  readonly publisher: HttpPublisher
  /** Where requests get their answers. */
  readonly inbox: ReplyInbox
  /** Streams that are open, so that a drain can end them. */
  readonly tails: Set<Tail>
  readonly health: Health
  /** Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
}

interface Health {
  /** Each check with what is wrong, or undefined when it passes. */
  checks(): Readonly<Record<string, string | undefined>>
}
