export { openDiskJournal } from './open-disk-journal.ts'
