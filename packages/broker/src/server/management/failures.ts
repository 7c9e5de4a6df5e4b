/** What went wrong, as RabbitMQ's management API says it. */
import { MillraceError } from '../../base/errors.ts'
import { AmqpError } from '../../protocols/amqp/amqp-error.ts'
import { HttpError, json, statusOf } from '../http/problem.ts'

const REALM = 'Basic realm="RabbitMQ Management"'

export function failure(status: number, error: string, reason: string, headers: Readonly<Record<string, string>> = {}): Response {
  const response = json(status, { error, reason })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

/** For what is none of the user's business, the login included. */
export function refused(reason: string): Response {
  return failure(401, 'not_authorized', reason, { 'www-authenticate': REALM })
}

export function failureOf(error: MillraceError): Response {
  if (error instanceof HttpError) {
    const name = error instanceof PageOutOfRange ? 'page_out_of_range' : error.status === 405 ? 'Method Not Allowed' : error.code
    return failure(error.status, name, error.message, error.headers)
  }
  if (error.code === 'unauthorized' || error.code === 'forbidden') return refused(error.message)
  if (error.code === 'not_found') return failure(404, 'Object Not Found', 'Not Found')
  const status = statusOf[error.code]
  // What cannot be is a bad request there, whatever it is that stands in the way.
  return status < 500 ? failure(400, 'bad_request', error.message) : failure(status, error.code, error.message)
}

/** @throws what is no expected failure, and MillraceError for whoever answers those */
export function answerOf(error: unknown): Response {
  if (!(error instanceof AmqpError)) throw error
  if (error.reply === 'not-found') return failure(404, 'Object Not Found', 'Not Found')
  if (error.reply === 'access-refused') return refused(error.replyText)
  return failure(400, 'bad_request', `${error.code} ${error.replyText}`)
}

export function badRequest(reason: string): MillraceError {
  return new MillraceError('bad_request', reason)
}

export function notFound(what: string): MillraceError {
  return new MillraceError('not_found', `There is no ${what}.`)
}

/** Tools know it by its name. */
export class PageOutOfRange extends HttpError {
  constructor(message: string) {
    super('bad_request', 400, message)
  }
}
