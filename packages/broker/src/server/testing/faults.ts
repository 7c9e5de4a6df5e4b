import { MillraceError as ClientError } from '@millrace/client'
import { type ErrorCode, errorCatalogue, MillraceError } from '../../base/errors.ts'

/** What can be made to fail: `define` is all that creates, changes or deletes topics, queues and subscriptions. */
export type FaultPoint = 'publish' | 'consume' | 'settle' | 'define' | 'confirm'

export interface FaultOptions {
  /** Only there: `queue:mail`, `topic:orders`, `topic:orders/billing`. Default: anywhere. Not for `define`. */
  readonly at?: string
  /** How often. Default 1. */
  readonly times?: number
}

interface Fault {
  readonly point: FaultPoint
  readonly at: string | undefined
  readonly error: MillraceError
  left: number
}

/** Failures that were asked for and did not happen yet. */
export class Faults {
  readonly #faults: Fault[] = []

  plan(point: FaultPoint, error: ErrorCode | ClientError, options: FaultOptions): void {
    this.#faults.push({ point, at: options.at, error: brokerError(error), left: options.times ?? 1 })
  }

  /** @throws MillraceError what was planned for this */
  check(point: FaultPoint, place: string | undefined): void {
    const error = this.take(point, place)
    if (error !== undefined) throw error
  }

  take(point: FaultPoint, place: string | undefined): MillraceError | undefined {
    const at = this.#faults.findIndex((fault) => fault.point === point && (fault.at === undefined || fault.at === place))
    const fault = this.#faults[at]
    if (fault === undefined) return undefined
    fault.left--
    if (fault.left <= 0) this.#faults.splice(at, 1)
    return fault.error
  }
}

/** @throws MillraceError `bad_request` for a code that no broker sends */
function brokerError(error: ErrorCode | ClientError): MillraceError {
  const code = typeof error === 'string' ? error : error.code
  if (!Object.hasOwn(errorCatalogue, code)) throw new ClientError('bad_request', `${code} is none of the error codes.`)
  const message = typeof error === 'string' ? 'The test asked for this failure.' : error.message
  return new MillraceError(code as ErrorCode, message)
}
