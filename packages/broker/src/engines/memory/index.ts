export { openMemoryJournal } from './memory-journal.ts'
