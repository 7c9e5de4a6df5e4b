import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { temporaryDirectory } from '../../../../bench/src/broker-process.ts'

/** Makes a directory on the disk before each test of the file, and removes it afterwards. @returns the path of what is called so in it */
export function directoryPerTest(): (name: string) => string {
  let directory: string
  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))
  return (name) => join(directory, name)
}
