import type { MillraceError } from '../../base/errors.ts'
import type { Ticket } from '../../storage/log-store.ts'
import type { Destination } from '../destination.ts'
import type { ScheduleId } from '../broker.ts'

/**
 * Exchanges and bindings: from what a message says of itself to the queues and topics that get it. Changes are durable with the
 * ticket that they return.
 */
export interface Router {
  /** Creates it, or does nothing if it exists with the same settings. @throws `already_exists`, `illegal_name`, `limit_reached`, `bad_request` */
  createExchange(spec: ExchangeSpec): Ticket
  /** Deletes it with all bindings from and to it. @throws `not_found`, `in_use` with `ifUnused` while it has bindings */
  deleteExchange(name: string, options?: { readonly ifUnused?: boolean }): Ticket
  /** Changes what may change while it is there. What is `undefined` is taken away. @throws `not_found`, `bad_request`, `illegal_name` */
  updateExchange(name: string, change: ExchangeChange): Ticket
  /** @throws `not_found` */
  exchange(name: string): ExchangeInfo
  exchanges(): readonly ExchangeInfo[]
  /** Idempotent. @throws `not_found` for either side, `bad_request` for arguments that its type does not know */
  bind(binding: Binding): Ticket
  /** Idempotent. @throws `not_found` for the exchange */
  unbind(binding: Binding): Ticket
  /** Those from an exchange, or to a destination, or all. */
  bindings(where?: { readonly source?: string; readonly destination?: string }): readonly Binding[]
  /** Resolved once, for many publishes. `''` is the default exchange: the queue whose name is the key, or else the topic. @throws `not_found` */
  source(exchange: string): ExchangeSource
}

export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers' | 'consistent-hash'

export interface ExchangeSpec {
  /** Any text of 1 to 255 bytes without control characters. */
  readonly name: string
  readonly type: ExchangeType
  /** false: it is gone, with its bindings, when the broker starts again. Default true. */
  readonly durable?: boolean
  /** Deleted when its last binding goes. Default false. */
  readonly autoDelete?: boolean
  /** Only other exchanges may publish to it. Default false. */
  readonly internal?: boolean
  /** Exchange that gets what no binding takes. It need not exist. */
  readonly alternate?: string
  /** Messages with a header `x-delay` (milliseconds) wait that long before they are delivered. Default false. */
  readonly delayed?: boolean
  /** Of `consistent-hash`: what is hashed instead of the key. */
  readonly hashOn?: { readonly header: string } | { readonly property: 'message-id' | 'correlation-id' | 'timestamp' }
  /** What doors keep with it. JSON; not interpreted. */
  readonly labels?: Labels
}

export interface ExchangeChange {
  readonly alternate?: string | undefined
  readonly labels?: Labels | undefined
}

/** What doors keep with a definition: JSON, not interpreted, and part of what makes two definitions the same. */
export type Labels = Readonly<Record<string, unknown>>

export interface ExchangeInfo extends ExchangeSpec {
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly counters: {
    /** Messages that were published to it. */
    readonly in: number
    /** Messages that it gave to queues and topics. */
    readonly out: number
    /** Messages that nothing took. */
    readonly unroutable: number
  }
}

export interface Binding {
  /** Name of an exchange. */
  readonly source: string
  /** `queue:NAME`, `topic:NAME` or `exchange:NAME`. */
  readonly destination: string
  /** Pattern for `topic`, weight for `consistent-hash`; '' where it does not matter. */
  readonly key: string
  /** For `headers`. Part of the identity of a binding, as `labels` is. */
  readonly match?: HeadersMatch
  readonly labels?: Labels
}

export interface HeadersMatch {
  /** The `-with-x` modes look at headers whose name begins with `x-`, too. */
  readonly mode: 'all' | 'any' | 'all-with-x' | 'any-with-x'
  /** null: the header need only be there. */
  readonly headers: Readonly<Record<string, HeaderValue | null>>
}

/** Numbers are compared by value. */
export type HeaderValue = string | number | boolean

/** What an exchange may ask of a message. */
export interface RoutedMessage {
  readonly key: string
  /** It is routed by these keys as well. */
  readonly moreKeys?: readonly string[]
  /**
   * Of its headers, or of the properties that doors keep as headers; undefined when there is none. null: it is there, and equal to nothing, as a
   * list is.
   */
  header(name: string): HeaderValue | null | undefined
  /** Its headers have no types: a text also equals the number or boolean that it says. */
  readonly isText?: boolean
}

/** An exchange that was resolved for publishing. */
export interface ExchangeSource {
  readonly name: string
  readonly internal: boolean
  /** Whether where a message goes depends on more than its key. It changes with bindings. */
  readonly byHeaders: boolean
  /** @throws `not_found` when it was deleted */
  route(message: RoutedMessage): Route
}

/** Where messages go. The same object for the same set of destinations, as long as nothing changes. */
export interface Route {
  /** None: nothing takes it. */
  readonly destinations: readonly Destination[]
  /** False once exchanges, bindings or destinations changed: ask for the route again. */
  readonly isCurrent: boolean
  /**
   * Publishes a batch whose records all go this way and have one key: one stored copy for all destinations. A destination that is full does not keep
   * the others from taking it.
   * @returns who refused what, or undefined when all took all of it. The ticket is `broker.ticket()`
   * @throws what `Destination.publish` throws about the batch or the broker, and then nothing was published
   */
  publish(batch: Uint8Array): readonly RefusedByDestination[] | undefined
  /** As `Destination.publishLater`, for each destination. */
  publishLater(batch: Uint8Array, dueMs: number): readonly ScheduleId[]
}

export interface RefusedByDestination {
  readonly destination: Destination
  /** Of the first record of the batch that it refused, from 0; it took those before. */
  readonly position: number
  readonly error: MillraceError
}
