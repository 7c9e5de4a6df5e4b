/** Exchanges: what is published to them goes to the queues and topics that are bound to them. */
import type { Body, Labels, OutgoingMessage, PublishOptions, Receipt } from './api.ts'

/** Messages go by the key that `client.exchange` was given, or else by their own. */
export interface Exchange {
  readonly name: string
  /**
   * Resolves once the broker has the message durably, wherever it goes: `offset` of the receipt is -1.
   * @throws MillraceError `unroutable` when nothing takes it; `queue_full` when a queue refused it, which others may have taken
   */
  publish(body: Body, options?: PublishOptions): Promise<Receipt>
  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]>
}

export interface ExchangeSpec {
  readonly name: string
  /** See docs/routing.md. */
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers' | 'consistent-hash'
  /** false: it is gone, with its bindings, when the broker starts again. Default true. */
  readonly durable?: boolean
  /** Deleted when its last binding goes. Default false. */
  readonly autoDelete?: boolean
  /** Only other exchanges may publish to it. Default false. */
  readonly internal?: boolean
  /** Exchange that gets what no binding takes. It need not exist. */
  readonly alternate?: string
  /** Messages with a header `x-delay` wait so many milliseconds before they are routed. Default false. */
  readonly delayed?: boolean
  /** Of `consistent-hash`: what is hashed instead of the key. */
  readonly hashOn?: { readonly header: string } | { readonly property: 'message-id' | 'correlation-id' | 'timestamp' }
  /** What applications keep with it: any JSON, at most 16 KiB. */
  readonly labels?: Labels
}

export interface ExchangeInfo extends ExchangeSpec {
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  /** Messages, since the broker started. */
  readonly counters: { readonly in: number; readonly out: number; readonly unroutable: number }
}

export interface Binding {
  /** Name of an exchange. */
  readonly source: string
  /** `queue:NAME`, `topic:NAME` or `exchange:NAME`. */
  readonly destination: string
  /** Pattern for `topic`, weight for `consistent-hash`. Default ''. */
  readonly key?: string
  readonly match?: HeadersMatch
  readonly labels?: Labels
}

/** For `headers` exchanges. */
export interface HeadersMatch {
  /** The `-with-x` modes look at headers whose name begins with `x-`, too. */
  readonly mode: 'all' | 'any' | 'all-with-x' | 'any-with-x'
  /** null: the header need only be there. */
  readonly headers: Readonly<Record<string, string | number | boolean | null>>
}

export interface ExchangeAdmin {
  /** Does nothing if it exists with the same settings. @throws MillraceError `already_exists`, `illegal_name` */
  createExchange(spec: ExchangeSpec): Promise<void>
  /** Deletes it with its bindings. @throws MillraceError `not_found`, `in_use` with `ifUnused` while it has bindings */
  deleteExchange(name: string, options?: { readonly ifUnused?: boolean }): Promise<void>
  exchange(name: string): Promise<ExchangeInfo>
  exchanges(): Promise<readonly ExchangeInfo[]>
  /** Idempotent. @throws MillraceError `not_found` */
  bind(binding: Binding): Promise<void>
  /** Idempotent. @throws MillraceError `not_found` for the exchange */
  unbind(binding: Binding): Promise<void>
  /** Those from an exchange, or to a destination, or all. */
  bindings(where?: { readonly source?: string; readonly destination?: string }): Promise<readonly Binding[]>
}
