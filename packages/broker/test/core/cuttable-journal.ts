import type { Journal } from '../../src/ports/journal.ts'
import { journalOver } from './journal-over.ts'

/** Takes so many more batches; what comes after them is lost in a crash. */
export class CuttableJournal {
  left = Infinity
  readonly journal: Journal

  constructor(inner: Journal) {
    this.journal = journalOver(inner, {
      append: (seq, batch) => (this.left-- > 0 ? inner.append(seq, batch) : new Promise<never>(() => {})),
    })
  }
}
