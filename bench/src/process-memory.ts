import { readFileSync } from 'node:fs'

/** Physical memory of a process, in bytes. */
export interface ProcessMemory {
  readonly rss: number
  /** The most that it ever was. */
  readonly peak: number
}

export function memoryOf(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) * 1024
  return { rss: bytes('VmRSS'), peak: bytes('VmHWM') }
}
