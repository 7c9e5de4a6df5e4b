import type { Broker } from '../core/broker.ts'
import type { Platform } from '../ports/platform.ts'
import type { Security } from '../protocols/security.ts'
import { nativeDoor } from '../protocols/native/native-door.ts'
import type { SessionContext } from '../protocols/session.ts'
import type { Config, ListenEntry } from './config/config.ts'
import type { DoorContext } from './door-context.ts'
import { loadDoors, openDoors } from './open-doors.ts'
import { refuseInsecureBinds } from './listeners/loopback.ts'
import type { Listener } from './listeners/listener.ts'
import { writeReadyFile } from './listeners/ready-file.ts'
import type { Log } from './log/log.ts'
import { openLog } from './log/open-log.ts'
import { MemoryWatch } from './memory-watch.ts'
import { Metrics } from './metrics/metrics.ts'
import { nodePlatform } from './node-platform.ts'
import { openCore } from './open-core.ts'
import { openSecurity } from './security/open-security.ts'
import { Certificates } from './tls/certificates.ts'
import { sessionContext } from './session-context.ts'

export interface RunningServer {
  /** Listener (`kafka`, `kafka/external`) to the address it accepts connections on. */
  readonly listeners: Readonly<Record<string, string>>
  readonly broker: Broker
  readonly security: Security
  /** Resolves, with the cause, when the journal failed: end the process, and start it again to recover. */
  readonly failed: Promise<Error>
  /** Reads users and certificates again; their files are also looked at every few seconds. */
  reload(): void
  /** Stops accepting, lets connections finish, commits, writes a checkpoint. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the data and the doors. Resolves once all listeners accept connections.
 * @throws MillraceError `insecure_bind`, `address_in_use`, `bad_config`, `data_in_use`, `data_unusable`, `data_corrupt`
 */
export async function startServer(config: Config, log: Log = openLog(config.log)): Promise<RunningServer> {
  const startedMs = performance.now()
  const platform = nodePlatform()
  const access = openSecurity(config, platform, log)
  const { security } = access
  const certificates = new Certificates(config.tls, log)
  await refuseInsecureBinds(config, !security.users.isEmpty)
  // Loads while the data is recovered.
  const loading = loadDoors(config)
  const core = await openCore(config, platform, log, watchMemory(config, platform, log))
  const { broker, store } = core

  const open: Listener[] = []
  let draining = false
  let failure: Error | undefined
  void core.failed.then((error) => (failure = error))
  const addresses = (): Record<string, string> => Object.fromEntries(open.map(({ name, address }) => [name, address]))
  const { clock } = platform
  const metrics = new Metrics({ broker, store, listeners: () => open, config: config.metrics, nowMs: () => clock.nowMs() })
  const session = sessionContext(core, platform, config, startedMs, addresses, { authorize: security.authorize, security })
  const health = { checks: () => healthChecks(failure, store.acceptsPublishes, draining) }

  const webSockets = new Map([['/v1/native', nativeDoor]])
  const doors: DoorContext = { config, session, webSockets, health, metrics: () => metrics.scrape(), listeners: () => open, log }

  const stop = async (): Promise<void> => {
    draining = true
    await Promise.all(open.map((listener) => listener.close(config.drainTimeoutMs)))
    metrics.close()
    access.close()
    certificates.close()
    await core.close()
  }

  let removeReadyFile: (() => void) | undefined
  try {
    access.watch()
    const openers = await openDoors(await loading, doors)
    for (const entry of withAdvertised(config)) {
      const listener = await openers.get(entry.door)!(entry, certificates.for(entry))
      if (listener !== undefined) open.push(listener)
    }
    if (config.readyFile !== null) removeReadyFile = writeReadyFile(config.readyFile, addresses())
  } catch (error) {
    await stop()
    throw error
  }
  const listeners = addresses()
  logReady(log, config, session, listeners)

  let closed: Promise<void> | undefined
  return {
    listeners,
    broker,
    security,
    failed: core.failed,
    reload: () => {
      access.reload()
      certificates.reload()
    },
    close: () => {
      removeReadyFile?.()
      closed ??= stop()
      return closed
    },
  }
}

function watchMemory({ limits }: Config, platform: Platform, log: Log): MemoryWatch {
  return new MemoryWatch(limits.memoryBytesHigh, platform, (isShort) => {
    if (isShort) log.warn('broker.memory', 'Memory runs short: publishers are held back, consumers go on.')
    else log.info('broker.memory', 'There is enough memory again: publishers go on.')
  })
}

function logReady(log: Log, config: Config, session: SessionContext, listeners: Readonly<Record<string, string>>): void {
  log.info('broker.ready', readySentence(config, listeners), {
    version: session.identity.brokerVersion,
    listeners,
    engine: config.engine,
    durability: session.status().durability,
    ...(config.engine === 'disk' ? { data: config.data } : {}),
    readyMs: Math.round(performance.now()),
  })
}

/** `kafka.advertised` is for the first listener of that door: what leads to one does not lead to another. */
function withAdvertised({ listen, kafka: { advertised } }: Config): readonly ListenEntry[] {
  return listen.map((entry) => (entry.name === 'kafka' && advertised !== null ? { advertised, ...entry } : entry))
}

/** What is wrong, by what it is about. */
function healthChecks(
  failure: Error | undefined,
  acceptsPublishes: boolean,
  draining: boolean,
): Record<'journal' | 'disk' | 'serving', string | undefined> {
  return {
    journal: failure === undefined ? undefined : `it failed: ${failure.message}`,
    disk: acceptsPublishes ? undefined : 'there is no room for new messages',
    serving: draining ? 'the broker is shutting down' : undefined,
  }
}

function readySentence({ engine, data }: Config, listeners: Readonly<Record<string, string>>): string {
  const doors = Object.entries(listeners).map(([name, address]) => `${name} on ${address}`)
  const where = engine === 'memory' ? 'keeping messages in memory only' : `with data in ${data}`
  return `Ready: ${doors.length === 0 ? 'no listeners' : doors.join(', ')}, ${where}.`
}
