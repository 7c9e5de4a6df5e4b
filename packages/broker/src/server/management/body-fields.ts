import type { ArgumentsJson } from '../../protocols/amqp/definitions/arguments.ts'
import { badRequest } from './failures.ts'
import type { Json } from './management-route.ts'

/** Fields of a body. RabbitMQ also takes numbers and flags as text, as its web pages send them. @throws MillraceError `bad_request` */
export function textField(body: Json, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined
  throw badRequest(`${name} must be text`)
}

/** @throws MillraceError `bad_request` */
export function requiredText(body: Json, name: string): string {
  const value = textField(body, name)
  if (value === undefined) throw badRequest(`[{error,"key ${name} is missing"}]`)
  return value
}

/** @throws MillraceError `bad_request` */
export function flagField(body: Json, name: string, otherwise: boolean): boolean {
  const value = body[name]
  if (value === undefined || value === null || value === '') return otherwise
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  throw badRequest(`${name} must be true or false`)
}

/** A whole number. @throws MillraceError `bad_request` */
export function numberField(body: Json, name: string): number | undefined {
  const value = body[name]
  if (value === undefined || value === null || value === '') return undefined
  const number = typeof value === 'string' ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw badRequest(`${name} must be a whole number`)
}

/** @throws MillraceError `bad_request` */
export function tableField(body: Json, name: string): ArgumentsJson {
  const value = body[name]
  if (value === undefined || value === null) return {}
  // An empty table is written as a list by what has no other.
  if (Array.isArray(value) && value.length === 0) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as ArgumentsJson
  throw badRequest(`${name} must be an object`)
}
