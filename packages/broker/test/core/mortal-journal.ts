import type { Journal } from '../../src/ports/journal.ts'
import { journalOver } from './journal-over.ts'

/** The journal as one process sees it: once its life is over, it neither writes nor learns anything. */
export function mortalJournal(journal: Journal, life: { readonly isOver: boolean }): Journal {
  const never = new Promise<never>(() => {})
  return journalOver(journal, {
    append: (seq, batch, checksum) => (life.isOver ? never : journal.append(seq, batch, checksum)),
    read: (seq, from, length) => (life.isOver ? never : journal.read(seq, from, length)),
    length: (seq) => (life.isOver ? never : journal.length(seq)),
    verify: (seq) => (life.isOver ? never : journal.verify(seq)),
    discard: (first, last) => (life.isOver ? never : journal.discard(first, last)),
    close: () => Promise.resolve(),
  })
}
