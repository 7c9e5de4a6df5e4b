import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { usageError } from './failure.ts'

/** Asks for a password, without showing it; where nobody can be asked it is the first line of stdin. Never an argument: those are seen by everybody on the machine. */
export async function readPassword(user: string): Promise<string> {
  const password = process.stdin.isTTY ? await ask(`Password of ${user}: `) : (await text(process.stdin)).split(/\r?\n/)[0]!
  if (password === '') throw usageError('The password is empty. Type one, or pipe it in: `echo "$PASSWORD" | millrace user ...`.')
  return password
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await prompt.question('')
  } finally {
    prompt.close()
    process.stderr.write('\n')
  }
}
