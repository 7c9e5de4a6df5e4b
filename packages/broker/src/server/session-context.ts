import type { Platform } from '../ports/platform.ts'
import { allowAll, type SessionContext } from '../protocols/session.ts'
import type { Config } from './config/config.ts'
import type { Core } from './open-core.ts'
import { readVersion } from './version.ts'

/**
 * What all sessions of this broker share.
 * @param startedMs when it began to start, of `performance.now()`
 * @param listeners door to address, asked for at each `status`
 */
export function sessionContext(
  core: Core,
  platform: Platform,
  config: Pick<Config, 'engine' | 'durability'>,
  startedMs: number,
  listeners: () => Readonly<Record<string, string>>,
): SessionContext {
  const version = readVersion()
  return {
    broker: core.broker,
    platform,
    commits: core.commits,
    identity: { brokerId: core.broker.id, brokerVersion: version },
    authorize: allowAll,
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
