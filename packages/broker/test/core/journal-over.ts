import type { Journal } from '../../src/ports/journal.ts'

/** A journal that does what `inner` does, apart from what it does `instead`. */
export function journalOver(inner: Journal, instead: Partial<Journal>): Journal {
  const read = instead.read ?? ((seq, from, length) => inner.read(seq, from, length))
  return {
    limits: inner.limits,
    append: (seq, batch, checksum) => inner.append(seq, batch, checksum),
    read,
    readParts: (parts) => Promise.all(parts.map(({ seq, from, length }) => read(seq, from, length))),
    length: (seq) => inner.length(seq),
    verify: (seq) => inner.verify(seq),
    discard: (first, last) => inner.discard(first, last),
    bounds: () => inner.bounds(),
    extents: () => inner.extents(),
    headroomBytes: () => inner.headroomBytes(),
    close: () => inner.close(),
    ...instead,
  }
}
