import { MillraceError } from '../../base/errors.ts'
import { ListenerSet } from '../../base/listener-set.ts'
import type { Ticket } from '../../storage/log-store.ts'
import { DefinitionCell } from '../definitions.ts'
import { jsonText } from '../json-text.ts'
import type { Shard } from '../shard.ts'
import type { StateCell } from '../state/state-log.ts'
import type { Documents } from './documents.ts'
import { ALL_DOCUMENTS_BYTES_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_NAME_BYTES_MAX, DOCUMENT_OVERHEAD_BYTES } from './limits.ts'

/** A document as the state log keeps it. */
export interface DocumentDefinition {
  readonly kind: 'document'
  readonly collection: string
  readonly key: string
  readonly document: unknown
}

interface Stored {
  readonly cell: DefinitionCell
  document: unknown
  /** Its JSON text. */
  text: string
  /** What it counts. */
  bytes: number
}

const encoder = new TextEncoder()

/** Each document is an entity of its own in the state log, so that a change writes that one alone. */
export class StoredDocuments implements Documents {
  readonly #shard: Shard
  readonly #newId: () => number
  readonly #collections = new Map<string, Map<string, Stored>>()
  readonly #listeners = new Map<string, ListenerSet<[key: string]>>()
  #bytes = 0

  constructor(shard: Shard, newId: () => number) {
    this.#shard = shard
    this.#newId = newId
  }

  restore(entity: number, { collection, key, document }: DocumentDefinition): StateCell {
    const text = JSON.stringify(document)
    return this.#add(entity, collection, key, document, text, countedBytes(collection, key, text)).cell
  }

  get(collection: string, key: string): unknown {
    return this.#collections.get(collection)?.get(key)?.document
  }

  list(collection: string): readonly (readonly [key: string, document: unknown])[] {
    const documents = [...(this.#collections.get(collection) ?? [])]
    return documents.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, { document }]) => [key, document] as const)
  }

  put(collection: string, key: string, document: unknown): Ticket {
    this.#checkOpen()
    checkName('collection', collection)
    checkName('key', key)
    const text = jsonOf(document)
    const before = this.#collections.get(collection)?.get(key)
    if (before?.text === text) return this.#changed()
    const bytes = countedBytes(collection, key, text)
    this.#checkRoom(bytes - (before?.bytes ?? 0))
    // A copy: what its owner does to the original later is not kept.
    const copy: unknown = JSON.parse(text)
    const stored = before ?? this.#add(this.#newId(), collection, key, copy, text, bytes)
    if (before !== undefined) {
      this.#bytes += bytes - before.bytes
      Object.assign(before, { document: copy, text, bytes })
    }
    this.#shard.stateLog.snapshot(stored.cell)
    this.#shard.cycle.gatheredBytes += bytes
    this.#shard.cycle.bound()
    this.#tell(collection, key)
    return this.#changed()
  }

  remove(collection: string, key: string): Ticket {
    this.#checkOpen()
    const documents = this.#collections.get(collection)
    const stored = documents?.get(key)
    if (documents === undefined || stored === undefined) return this.#changed()
    documents.delete(key)
    if (documents.size === 0) this.#collections.delete(collection)
    this.#bytes -= stored.bytes
    this.#shard.stateLog.remove(stored.cell.entity, [stored.cell])
    this.#tell(collection, key)
    return this.#changed()
  }

  onChanged(collection: string, listener: (key: string) => void): () => void {
    let listeners = this.#listeners.get(collection)
    if (listeners === undefined) this.#listeners.set(collection, (listeners = new ListenerSet()))
    return listeners.add(listener)
  }

  #add(entity: number, collection: string, key: string, document: unknown, text: string, bytes: number): Stored {
    const cell = new DefinitionCell(entity, () => ({ kind: 'document', collection, key, document: stored.document }))
    const stored: Stored = { cell, document, text, bytes }
    const documents = this.#collections.get(collection) ?? new Map<string, Stored>()
    this.#collections.set(collection, documents)
    documents.set(key, stored)
    this.#bytes += bytes
    return stored
  }

  #tell(collection: string, key: string): void {
    this.#listeners.get(collection)?.call(key)
  }

  /** What `put` and `remove` found as it is now may have been changed in the open commit. */
  #changed(): Ticket {
    this.#shard.store.touch()
    return this.#shard.store.ticket()
  }

  #checkRoom(more: number): void {
    if (more <= 0 || this.#bytes + more <= ALL_DOCUMENTS_BYTES_MAX) return
    throw new MillraceError(
      'limit_reached',
      `documents take ${this.#bytes} bytes, and ${more} more would be above the ${ALL_DOCUMENTS_BYTES_MAX} that they may take: remove some`,
    )
  }

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }
}

function countedBytes(collection: string, key: string, text: string): number {
  return encoder.encode(collection + key + text).length + DOCUMENT_OVERHEAD_BYTES
}

function jsonOf(document: unknown): string {
  const { text, bytes } = jsonText('a document', document)
  if (bytes <= DOCUMENT_BYTES_MAX) return text
  throw new MillraceError('record_too_large', `a document takes at most ${DOCUMENT_BYTES_MAX} bytes as JSON, not ${bytes}`)
}

function checkName(what: string, name: string): void {
  if (typeof name === 'string' && name.length > 0 && encoder.encode(name).length <= DOCUMENT_NAME_BYTES_MAX) return
  throw new MillraceError('bad_request', `the ${what} of a document is a text of 1 to ${DOCUMENT_NAME_BYTES_MAX} bytes`)
}
