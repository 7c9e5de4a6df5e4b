import type { Documents } from '../../../core/documents/documents.ts'

/** Some collections of documents as they are now, for when a change of them fails. */
export class SavedDocuments {
  readonly #documents: Documents
  readonly #saved: readonly (readonly [collection: string, documents: ReadonlyMap<string, unknown>])[]

  constructor(documents: Documents, collections: readonly string[]) {
    this.#documents = documents
    this.#saved = collections.map((collection) => [collection, new Map(documents.list(collection))])
  }

  /** Makes them what they were. */
  restore(): void {
    for (const [collection, documents] of this.#saved) {
      for (const [key] of this.#documents.list(collection)) if (!documents.has(key)) this.#documents.remove(collection, key)
      for (const [key, document] of documents)
        if (this.#documents.get(collection, key) !== document) this.#documents.put(collection, key, document)
    }
  }
}
