import type { Journal } from '../../ports/journal.ts'
import { describeJournal } from '../../ports/conformance/journal.ts'
import { openMemoryJournal, type MemoryJournalOptions } from './memory-journal.ts'

// No `reopen` and no `crash`: what it holds ends with the process.
describeJournal('the memory engine', () => {
  const opened: Journal[] = []
  const open = async (options: MemoryJournalOptions): Promise<Journal> => {
    const journal = await openMemoryJournal(options)
    opened.push(journal)
    return journal
  }
  return {
    open: () => open({}),
    openSmall: () => open({ bytesMax: 1024 * 1024, extentBytes: 64 * 1024, batchBytesMax: 32 * 1024 }),
    isSmallBounded: true,
    cleanup: async () => {
      for (const journal of opened) await journal.close()
    },
  }
})
