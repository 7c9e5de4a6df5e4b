import type { Cursor } from './cursor.ts'

/** A place between the messages of a queue. Of another queue, also one that had the same name, nothing is before it. */
export class QueueEnd {
  readonly #offsets: ReadonlyMap<Cursor, number>

  constructor({ cursors }: { readonly cursors: readonly Cursor[] }) {
    this.#offsets = new Map(cursors.map((cursor) => [cursor, cursor.log.end]))
  }

  /** Messages of a cursor with lower offsets are before it. */
  offsetIn(cursor: Cursor): number {
    return this.#offsets.get(cursor) ?? 0
  }
}
