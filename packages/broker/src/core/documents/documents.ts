import type { Ticket } from '../../storage/log-store.ts'

/**
 * Small durable facts that doors keep beside topics and queues, such as virtual hosts and policies: JSON by collection and key. They are few: all of
 * them are in memory.
 */
export interface Documents {
  /** Undefined when there is none. Not to be changed. */
  get(collection: string, key: string): unknown
  /** Keys and documents, in the order of their keys. */
  list(collection: string): readonly (readonly [key: string, document: unknown])[]
  /** @throws `record_too_large` above 256 KiB of JSON, `limit_reached` */
  put(collection: string, key: string, document: unknown): Ticket
  /** Idempotent. */
  remove(collection: string, key: string): Ticket
  /** Calls back in the turn of a change. @returns a function that stops it */
  onChanged(collection: string, listener: (key: string) => void): () => void
}
