import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { MillraceError } from '../../base/errors.ts'

/**
 * Tells other programs that the broker accepts connections, and where. The file appears whole or not at all.
 * @returns removes it
 * @throws MillraceError `bad_config` when it cannot be written
 */
export function writeReadyFile(path: string, listeners: Readonly<Record<string, string>>): () => void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, `${JSON.stringify({ pid: process.pid, listeners })}\n`)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw new MillraceError('bad_config', `Cannot write the ready file ${path} (readyFile): ${(error as Error).message}`, {
      cause: error,
    })
  }
  return () => rmSync(path, { force: true })
}
