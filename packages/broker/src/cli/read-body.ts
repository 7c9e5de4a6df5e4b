import { readFile } from 'node:fs/promises'
import { usageError } from './failure.ts'

/** What is published: the argument, a file, or standard input where the argument is `-` or missing. @throws CommandError when there is none */
export async function readBody(body: string | undefined, file: string | undefined): Promise<string | Uint8Array> {
  if (file !== undefined) return await readFile(file)
  if (body !== undefined && body !== '-') return body
  if (body === undefined && process.stdin.isTTY) {
    throw usageError('The body is missing. Give it after the destination, or with --file, or pipe it in.')
  }
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
