/**
 * One process per data directory, without files that outlive a kill -9 in a harmful way.
 *
 * Each starter listens on a socket of its own in the directory, under a name that is never used twice, and only then looks
 * for the sockets of others. A socket that refuses connections belongs to a dead process and is deleted: as names
 * are unique, nobody can delete a living one. Of two starters at least one sees the other, because both publish
 * before they look. Whoever sees a holder gives up; of two that are still looking, the one with the higher name gives up
 * and the other waits for it.
 */
import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MillraceError } from '../../base/errors.ts'
import { makeUsableDirectory, unusable } from './data-directory.ts'
import { hasCode, type DirectoryLock } from './file-system.ts'
import { lockByPipe } from './windows-pipe-lock.ts'

/** @throws MillraceError `data_in_use`, `data_unusable` */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  await makeUsableDirectory(directory)
  return process.platform === 'win32' ? lockByPipe(directory) : lockBySocket(directory)
}

type State = 'looking' | 'holding'
/** What connecting to a socket tells about its process. */
type Answer = State | 'dead'

const SOCKET_NAME = /^lock-(\d+)-[0-9a-f]{16}\.socket$/
const UNPUBLISHED_NAME = /^unpublished-lock-/
/** sun_path is 108 bytes on Linux and 104 on macOS. */
const SOCKET_PATH_BYTES_MAX = 100
const ANSWER_TIMEOUT_MS = 2_000
const LOOK_AGAIN_MS = 20

async function lockBySocket(directory: string): Promise<DirectoryLock> {
  const name = `lock-${process.pid}-${randomBytes(8).toString('hex')}.socket`
  const place = await openSocketPlace(directory, name)
  let state: State = 'looking'
  const server = createServer((peer) => {
    // The peer may be gone before it heard the answer: its loss.
    peer.on('error', () => peer.destroy())
    peer.end(state)
  })
  server.unref()
  try {
    await publish(server, directory, place.path, name)
    try {
      await waitForOthers(directory, place.path, name)
      await removeUnpublished(directory, place.path)
    } catch (error) {
      await withdraw(server, directory, name)
      throw error
    }
  } catch (error) {
    throw unusable(directory, error)
  } finally {
    await place.close()
  }
  state = 'holding'
  return { release: () => withdraw(server, directory, name) }
}

async function withdraw(server: Server, directory: string, name: string): Promise<void> {
  await rm(join(directory, name), { force: true })
  await new Promise((resolve) => server.close(resolve))
}

/** Listens under a name that nobody looks at, and then renames: a socket is never visible before it answers. */
async function publish(server: Server, directory: string, place: string, name: string): Promise<void> {
  const unpublished = `unpublished-${name}`
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: join(place, unpublished), exclusive: true }, resolve)
  })
  try {
    await rename(join(directory, unpublished), join(directory, name))
  } catch (error) {
    server.close()
    throw error
  }
}

async function waitForOthers(directory: string, place: string, own: string): Promise<void> {
  for (const other of await socketsIn(directory, own)) {
    for (;;) {
      const answer = await ask(join(place, other))
      if (answer === 'dead') {
        await rm(join(directory, other), { force: true })
        break
      }
      if (answer === 'holding' || other < own) throw inUse(directory, other)
      await delay(LOOK_AGAIN_MS)
    }
  }
}

/** Left by processes that were killed between listening and publishing. */
async function removeUnpublished(directory: string, place: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!UNPUBLISHED_NAME.test(name)) continue
    if ((await ask(join(place, name))) === 'dead') await rm(join(directory, name), { force: true })
  }
}

async function socketsIn(directory: string, own: string): Promise<string[]> {
  const names = await readdir(directory)
  return names.filter((name) => name !== own && SOCKET_NAME.test(name)).toSorted()
}

function ask(path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let answer = ''
    // A process that is stopped or busy does not answer, but it holds.
    const socket = connect({ path, timeout: ANSWER_TIMEOUT_MS })
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (answer += text))
    socket.on('timeout', () => {
      socket.destroy()
      resolve('holding')
    })
    socket.on('error', (error) => {
      if (hasCode(error, 'ECONNREFUSED') || hasCode(error, 'ENOENT')) resolve('dead')
      else if (hasCode(error, 'ECONNRESET') || hasCode(error, 'EPIPE')) resolve('looking')
      else if (hasCode(error, 'EACCES')) reject(error)
      else resolve('holding')
    })
    // It may have ended while it was being asked: then its socket refuses the next time.
    socket.on('close', () => resolve(answer === 'holding' ? 'holding' : 'looking'))
  })
}

function inUse(directory: string, socketName: string): MillraceError {
  const pid = Number(SOCKET_NAME.exec(socketName)?.[1])
  const holder = pid === process.pid ? `this process (pid ${pid})` : `process ${pid}`
  return new MillraceError(
    'data_in_use',
    `the data directory ${directory} is in use by ${holder}: stop it, or give this one a directory of its own`,
  )
}

interface SocketPlace {
  /** A path to the directory that is short enough for a socket. */
  readonly path: string
  close(): Promise<void>
}

async function openSocketPlace(directory: string, name: string): Promise<SocketPlace> {
  if (Buffer.byteLength(join(directory, `unpublished-${name}`)) <= SOCKET_PATH_BYTES_MAX) {
    return { path: directory, close: () => Promise.resolve() }
  }
  if (process.platform !== 'linux') {
    throw new MillraceError(
      'data_unusable',
      `the path of the data directory ${directory} is too long: choose one below 40 characters`,
    )
  }
  const handle = await open(directory, 'r')
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() }
}
