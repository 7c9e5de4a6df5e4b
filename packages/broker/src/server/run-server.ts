import type { Config } from './config/config.ts'
import { startServer } from './compose.ts'
import { letHeapGrow } from './heap-growth.ts'
import type { Log } from './log/log.ts'
import { openLog } from './log/open-log.ts'

const LAST_WORDS_MS = 100

/**
 * Runs a broker as the business of this process: until SIGTERM or SIGINT, which drain it; a second one ends it at once.
 * Whatever cannot be handled ends the process: recovery is what start does.
 * @returns the exit code, once everything is closed
 * @throws MillraceError as `startServer`
 */
export async function runServer(config: Config, log: Log = openLog(config.log)): Promise<number> {
  stopOnSurprise(log)
  letHeapGrow()
  const signal = firstSignal(log)
  log.debug('broker.starting', 'Starting.', { engine: config.engine })
  const server = await startServer(config, log)
  process.on('SIGHUP', () => server.reload())
  const end = await Promise.race([signal, server.failed])
  if (end instanceof Error) {
    log.error('broker.failed', `The journal failed: ${end.message} Ending the process; start it again to recover.`, {
      error: end,
    })
    // Time for the answers to those who wait: their outcome is unknown.
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))
    return 1
  }
  log.info('broker.draining', `${end}: shutting down. Once more ends the process at once.`, { signal: end })
  await server.close()
  log.info('broker.stopped', 'Stopped; everything that was confirmed is kept.')
  return 0
}

function firstSignal(log: Log): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let signals = 0
    const onSignal = (signal: NodeJS.Signals): void => {
      signals++
      if (signals === 1) return resolve(signal)
      log.warn('broker.stopped', `${signal} again: ending at once. What was confirmed is kept.`, { signal })
      process.exit(signal === 'SIGINT' ? 130 : 143)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

function stopOnSurprise(log: Log): void {
  const stop = (error: unknown): never => {
    log.error('broker.failed', 'A fault in the broker: ending the process, so that it recovers from what is on disk.', { error })
    process.exit(1)
  }
  process.on('uncaughtException', stop)
  process.on('unhandledRejection', stop)
}
