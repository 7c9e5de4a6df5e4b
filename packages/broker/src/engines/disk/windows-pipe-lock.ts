import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { MillraceError } from '../../base/errors.ts'
import { unusable } from './data-directory.ts'
import { hasCode, type DirectoryLock } from './file-system.ts'

/** On Windows a named pipe has one owner and vanishes with it. @throws MillraceError `data_in_use` */
export async function lockByPipe(directory: string): Promise<DirectoryLock> {
  const hash = createHash('sha256')
    .update((await realpath(directory)).toLowerCase())
    .digest('hex')
  const path = `\\\\.\\pipe\\millrace-${hash.slice(0, 32)}`
  const server = createServer((peer) => {
    peer.on('error', () => peer.destroy())
    peer.end(String(process.pid))
  })
  server.unref()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ path, exclusive: true }, resolve)
    })
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE') && !hasCode(error, 'EACCES')) throw unusable(directory, error)
    throw new MillraceError(
      'data_in_use',
      `the data directory ${directory} is in use by process ${await holderOf(path)}: stop it, or give this one a directory of its own`,
    )
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

function holderOf(path: string): Promise<string> {
  return new Promise((resolve) => {
    let pid = ''
    const socket = connect({ path, timeout: 2_000 })
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (pid += text))
    socket.on('timeout', () => socket.destroy())
    socket.on('error', () => resolve('(unknown)'))
    socket.on('close', () => resolve(pid || '(unknown)'))
  })
}
