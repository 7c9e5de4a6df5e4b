import { execFileSync } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'

const CONTROL_FILE = '/proc/sys/vm/drop_caches'
const CLEAN_PAGES = '1'

/**
 * Forgets the files that earlier measurements left in memory, so that each begins alike. A hypervisor that watches its guest's memory does so
 * in bursts of a length that grows with what is cached: with 2.7 GB cached a message in a hundred waited for 3 ms, with none for 0.8.
 * @returns false where only somebody else may do it
 */
export function dropPageCache(): boolean {
  if (!isWritable(CONTROL_FILE)) return false
  execFileSync('sync')
  writeFileSync(CONTROL_FILE, CLEAN_PAGES)
  return true
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch {
    return false
  }
}
