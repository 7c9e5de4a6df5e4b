import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from './broker-process.ts'

/**
 * Runs a script of this folder that measures the machine for so many seconds, in a process and a directory of its own.
 * @returns the JSON that it prints
 */
export function measureAlone(script: string, seconds: number): unknown {
  const directory = temporaryDirectory()
  try {
    const file = fileURLToPath(new URL(script, import.meta.url))
    return JSON.parse(execFileSync(process.execPath, [file, directory, String(seconds)], { encoding: 'utf8' }))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
