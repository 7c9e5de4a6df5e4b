import pino from 'pino'
import type { Config } from '../config/config.ts'
import type { Log } from './log.ts'
import { textLine } from './text-line.ts'

export interface LogOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Values that never reach a log, at any depth that our details have. */
const secrets = ['password', '*.password', 'authorization', '*.authorization', 'cookie', '*.cookie', 'token', '*.token']

/** @param output where the lines go; by default stderr, written synchronously so that a crash loses none */
export function openLog(config: Config['log'], output?: LogOutput): Log {
  const asText = config.format === 'text' || (config.format === 'auto' && (output ?? process.stderr).isTTY === true)
  const target = output ?? process.stderr
  const destination = asText
    ? { write: (line: string) => void target.write(textLine(line, target.isTTY === true)) }
    : (output ?? pino.destination({ dest: 2, sync: true }))
  const logger = pino(
    {
      level: config.level,
      base: { pid: process.pid },
      messageKey: 'message',
      errorKey: 'error',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: secrets,
    },
    destination,
  )
  return {
    debug: (event, message, details) => logger.debug({ event, ...details }, message),
    info: (event, message, details) => logger.info({ event, ...details }, message),
    warn: (event, message, details) => logger.warn({ event, ...details }, message),
    error: (event, message, details) => logger.error({ event, ...details }, message),
  }
}
