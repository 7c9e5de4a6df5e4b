import { spawn } from 'node:child_process'
import type { Message } from '@millrace/client'
import { printedMessage } from './output/message.ts'

/** What a command may print for one message. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const ERROR_CHARACTERS_MAX = 500

/**
 * Runs a line of the shell for a message: the body is its standard input, the rest of the message is in `MILLRACE_MESSAGE`. What it says on
 * stderr is passed on.
 * @returns what it printed, without the last line end
 * @throws Error with its last words, when it ends with anything but 0
 */
export function runForMessage(line: string, message: Message): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { body: _, bodyBase64: __, ...rest } = printedMessage(message)
    const child = spawn(line, { shell: true, env: { ...process.env, MILLRACE_MESSAGE: JSON.stringify(rest) } })
    const chunks: Buffer[] = []
    let bytes = 0
    let complaint = ''
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= OUTPUT_BYTES_MAX) chunks.push(chunk)
      else child.kill()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk)
      complaint = (complaint + chunk.toString()).slice(-ERROR_CHARACTERS_MAX)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (bytes > OUTPUT_BYTES_MAX) reject(new Error(`The command printed more than ${OUTPUT_BYTES_MAX} bytes.`))
      else if (code === 0) resolve(withoutLineEnd(Buffer.concat(chunks)))
      else reject(new Error(complaint.trim().split('\n').at(-1) || `The command ended with ${signal ?? `exit code ${code}`}.`))
    })
    // A command need not read what it is told.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error)
    })
    child.stdin.end(message.value ?? '')
  })
}

function withoutLineEnd(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== 10) return bytes
  return bytes.subarray(0, bytes.at(-2) === 13 ? -2 : -1)
}
