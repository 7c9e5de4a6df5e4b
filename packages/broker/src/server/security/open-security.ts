import { unwatchFile, watchFile } from 'node:fs'
import { join } from 'node:path'
import type { Platform } from '../../ports/platform.ts'
import type { Config } from '../config/config.ts'
import type { Log } from '../log/log.ts'
import { BrokerSecurity } from './broker-security.ts'
import { FailedLogins } from './failed-logins.ts'
import { noUsers, readUserFile, type StoredUsers, writeUserFile } from './user-file.ts'
import { Users } from './users.ts'

const LOOK_MS = 2000

export interface OpenSecurity {
  readonly security: BrokerSecurity
  /** Reads the file again, if there is one. */
  reload(): void
  /** Looks every few seconds whether it has changed, until `close`. */
  watch(): void
  close(): void
}

/** The users of a broker, from their file, which may be changed while it runs. @throws MillraceError `bad_config`, `bad_request` */
export function openSecurity(
  config: Pick<Config, 'data' | 'engine' | 'security'>,
  platform: Pick<Platform, 'clock'>,
  log: Log,
): OpenSecurity {
  const path = userFileOf(config)
  let stored = path === undefined ? noUsers() : readUserFile(path)
  const users = new Users(stored, (next) => {
    if (path !== undefined) writeUserFile(path, next)
    stored = next
  })
  const failures = new FailedLogins(() => platform.clock.monotonicMs())
  const { allowCleartext } = config.security
  const security = new BrokerSecurity(users, failures, { allowCleartext }, ({ address }) =>
    log.warn('login.failed', `A login from ${address} failed.`, { peer: address }),
  )

  const reload = (): void => {
    if (path === undefined) return
    try {
      const next = readUserFile(path)
      if (sameUsers(next, stored)) return
      if (next.users.length === 0) throw new Error('it is empty or gone, and a broker without users is open to everybody')
      users.load(next)
      stored = next
      log.info('users.loaded', `The users of ${path} count from now on.`, { users: next.users.length })
    } catch (error) {
      log.error('users.refused', `The users stay as they were: ${(error as Error).message}`, { error, path })
    }
  }
  return {
    security,
    reload,
    watch: () => {
      if (path !== undefined) watchFile(path, { interval: LOOK_MS, persistent: false }, reload)
    },
    close: () => {
      if (path !== undefined) unwatchFile(path, reload)
    },
  }
}

/** Undefined where users are kept in memory only. */
function userFileOf({ data, engine, security }: Pick<Config, 'data' | 'engine' | 'security'>): string | undefined {
  return security.usersFile ?? (engine === 'disk' ? join(data, 'users.json') : undefined)
}

function sameUsers(a: StoredUsers, b: StoredUsers): boolean {
  return JSON.stringify(a.users) === JSON.stringify(b.users)
}
