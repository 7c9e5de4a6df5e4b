import type { Journal } from '../../src/ports/journal.ts'

/** Takes so many more batches; what comes after them is lost in a crash. */
export class CuttableJournal {
  left = Infinity
  readonly journal: Journal

  constructor(inner: Journal) {
    this.journal = {
      limits: inner.limits,
      append: (seq, batch) => (this.left-- > 0 ? inner.append(seq, batch) : new Promise<never>(() => {})),
      read: (seq, from, length) => inner.read(seq, from, length),
      length: (seq) => inner.length(seq),
      verify: (seq) => inner.verify(seq),
      discard: (first, last) => inner.discard(first, last),
      bounds: () => inner.bounds(),
      extents: () => inner.extents(),
      headroomBytes: () => inner.headroomBytes(),
      close: () => inner.close(),
    }
  }
}
