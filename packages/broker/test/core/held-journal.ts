import { openMemoryJournal } from '../../src/engines/memory/index.ts'
import type { AppendResult, Journal } from '../../src/ports/journal.ts'
import { journalOver } from './journal-over.ts'

export interface HeldJournal {
  readonly journal: Journal
  /** From now on appends wait. */
  readonly hold: () => void
  readonly release: () => void
}

/** The memory journal, whose appends wait while they are held. */
export async function heldJournal(): Promise<HeldJournal> {
  const inner = await openMemoryJournal()
  let held = false
  const waiting: (() => void)[] = []
  const append: Journal['append'] = async (sequence, batch): Promise<AppendResult> => {
    if (held) await new Promise<void>((resolve) => waiting.push(resolve))
    return inner.append(sequence, batch)
  }
  const release = (): void => {
    held = false
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { journal: journalOver(inner, { append }), hold: () => (held = true), release }
}
