import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'

export const FILE_BYTES: number = 256 * 1024 * 1024

/** A file of `FILE_BYTES` whose blocks are allocated and durable, so that a write into it changes no metadata. */
export function prefill(file: string): void {
  const descriptor = openSync(file, 'w')
  const chunk = new Uint8Array(4 * 1024 * 1024)
  for (let at = 0; at < FILE_BYTES; at += chunk.length) writeSync(descriptor, chunk, 0, chunk.length, at)
  fsyncSync(descriptor)
  closeSync(descriptor)
}
