/** Something whose changes can be taken back. */
export interface Undoable {
  /** @param before what there was under `what` before it was changed */
  undo(what: unknown, before: unknown): void
}

/** What was changed since the last commit, so that a record that fails, or a batch that was not committed, leaves nothing behind. */
export class UndoLog {
  readonly #targets: Undoable[] = []
  /** Two for each target: what, and what there was before. */
  readonly #changes: unknown[] = []

  /** Where it stands, for `backTo`. */
  get mark(): number {
    return this.#targets.length
  }

  add(target: Undoable, what: unknown, before: unknown): void {
    this.#targets.push(target)
    this.#changes.push(what, before)
  }

  backTo(mark: number): void {
    while (this.#targets.length > mark) {
      const before = this.#changes.pop()
      const what = this.#changes.pop()
      this.#targets.pop()!.undo(what, before)
    }
  }

  clear(): void {
    this.#targets.length = 0
    this.#changes.length = 0
  }
}
