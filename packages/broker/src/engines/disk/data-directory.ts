import { constants } from 'node:fs'
import { access, mkdir, open, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { MillraceError } from '../../base/errors.ts'
import { hasCode } from './file-system.ts'

/** Makes the directory, durably, if it does not exist. @throws MillraceError `data_unusable` if this process cannot work in it */
export async function makeUsableDirectory(directory: string): Promise<void> {
  try {
    await makeDirectory(resolve(directory))
    if (!(await stat(directory)).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' })
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unusable(directory, error)
  }
}

/** Says why a directory cannot be used and what to do about it. */
export function unusable(directory: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  return new MillraceError('data_unusable', `the data directory ${directory} cannot be used: ${remedyFor(cause)}`, { cause })
}

function remedyFor(cause: unknown): string {
  if (hasCode(cause, 'EEXIST') || hasCode(cause, 'ENOTDIR')) {
    return 'it, or something on the way to it, is a file; move the file away or choose another directory'
  }
  if (hasCode(cause, 'EACCES') || hasCode(cause, 'EPERM')) {
    const user = process.getuid === undefined ? 'this user' : `the user with id ${process.getuid()}`
    return `${user} may not read and write there; change its owner or rights, or choose another directory`
  }
  if (hasCode(cause, 'EROFS')) return 'its file system is mounted read-only; mount it for writing or choose another directory'
  if (hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT')) return 'its file system is full; free some space'
  return `${cause instanceof Error ? cause.message : String(cause)}; correct that or choose another directory`
}

/** Not mkdir's `recursive`: where a parent exists but refuses children with ENOENT, as in /proc, Node tries for ever. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await makeOneDirectory(directory)
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || dirname(directory) === directory) throw error
    await makeDirectory(dirname(directory))
    await makeOneDirectory(directory)
  }
}

async function makeOneDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return
    throw error
  }
  if (process.platform === 'win32') return
  const parent = await open(dirname(directory), 'r')
  try {
    await parent.sync()
  } finally {
    await parent.close()
  }
}
