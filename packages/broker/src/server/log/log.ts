import type { LogEvent } from './events.ts'

/** Every line has a stable event code to search for, a sentence for people, and details. */
export interface Log {
  debug(event: LogEvent, message: string, details?: Details): void
  info(event: LogEvent, message: string, details?: Details): void
  warn(event: LogEvent, message: string, details?: Details): void
  error(event: LogEvent, message: string, details?: Details): void
}

/** `error` is written with its type, message, code and stack. */
type Details = Readonly<Record<string, unknown>> & { readonly error?: unknown }

/** For brokers inside another program that want no lines. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {}
