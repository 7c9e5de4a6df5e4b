import type { Undoable, UndoLog } from '../state/undo-log.ts'

interface Closing {
  readonly atMs: number
  readonly stateKey: string
}

/** Which state is to be closed when: a heap. It may name what is not there any more. */
export class ClosingTimes implements Undoable {
  readonly #heap: Closing[] = []
  readonly #undo: UndoLog

  constructor(undo: UndoLog) {
    this.#undo = undo
  }

  get isEmpty(): boolean {
    return this.#heap.length === 0
  }

  /** Needs no undoing: what is named and not there does no harm. */
  add(atMs: number, stateKey: string): void {
    const heap = this.#heap
    const closing = { atMs, stateKey }
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(closing, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = closing
  }

  /** Takes the earliest out, if it is due. */
  takeDue(nowMs: number): string | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.atMs > nowMs) return undefined
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last)
    this.#undo.add(this, first.atMs, first.stateKey)
    return first.stateKey
  }

  undo(atMs: unknown, stateKey: unknown): void {
    this.add(atMs as number, stateKey as string)
  }

  #sink(closing: Closing): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, closing)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = closing
  }
}

function isBefore(a: Closing, b: Closing): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.stateKey < b.stateKey)
}
