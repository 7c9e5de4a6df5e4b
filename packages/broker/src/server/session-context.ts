import type { Platform } from '../ports/platform.ts'
import { openToAll } from '../protocols/security.ts'
import { allowAll, type SessionContext } from '../protocols/session.ts'
import type { Config } from './config/config.ts'
import type { Core } from './open-core.ts'
import { readVersion } from './version.ts'

export type Access = Pick<SessionContext, 'authorize' | 'security'>

/**
 * What all sessions of this broker share.
 * @param startedMs when it began to start, of `performance.now()`
 * @param listeners their names and addresses, asked for at each `status`
 * @param access by default everybody may do everything
 */
export function sessionContext(
  core: Core,
  platform: Platform,
  config: Pick<Config, 'engine' | 'durability'>,
  startedMs: number,
  listeners: () => Readonly<Record<string, string>>,
  access: Access = { authorize: allowAll, security: openToAll },
): SessionContext {
  const version = readVersion()
  return {
    broker: core.broker,
    platform,
    commits: core.commits,
    identity: { brokerId: core.broker.id, brokerVersion: version },
    ...access,
    status: () => ({
      version,
      pid: process.pid,
      uptimeMs: Math.round(performance.now() - startedMs),
      engine: config.engine,
      durability: config.engine === 'memory' ? 'none' : config.durability,
      listeners: listeners(),
    }),
  }
}
