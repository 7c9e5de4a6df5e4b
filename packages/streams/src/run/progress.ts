import type { StoredMessage } from '@millrace/client'
import { textOf } from '../stream-error.ts'

/**
 * How far a lane has come. It is the body of the one message of the lane's queue: who holds that message has the lane, and each commit
 * replaces it.
 */
export interface Progress {
  /** Which commit made it; empty before the first. */
  readonly id: string
  /** Next offset, by topic. */
  readonly positions: Readonly<Record<string, number>>
  /** Event time, by operator. */
  readonly times: Readonly<Record<string, number>>
}

const FORMAT = 1

export const noProgress: Progress = { id: '', positions: {}, times: {} }

export function progressText(progress: Progress): string {
  return JSON.stringify({ format: FORMAT, ...progress })
}

/** @throws Error that says what is wrong with it */
export function parseProgress(message: StoredMessage): Progress {
  let value: unknown
  try {
    value = message.json()
  } catch (error) {
    throw new Error(`it is not JSON: ${textOf(error)}`, { cause: error })
  }
  const { format, id, positions, times } = (value ?? {}) as Partial<Progress> & { readonly format?: unknown }
  if (format !== FORMAT) throw new Error(`its format is ${String(format)}, and this version reads ${FORMAT}`)
  if (typeof id !== 'string' || !areNumbers(positions) || !areNumbers(times)) throw new Error('parts of it are missing')
  return { id, positions, times }
}

function areNumbers(value: unknown): value is Readonly<Record<string, number>> {
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'number')
}
