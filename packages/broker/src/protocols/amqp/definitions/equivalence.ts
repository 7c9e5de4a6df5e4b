import { AmqpError } from '../amqp-error.ts'
import type { ArgumentJson, ArgumentsJson } from './arguments.ts'

/** @param what as `queue 'q' in vhost '/'` @throws AmqpError in RabbitMQ's words */
export function checkSame(what: string, property: string, received: unknown, current: unknown): void {
  if (received === current) return
  throw inequivalent(what, property, `'${String(received)}'`, `'${String(current)}'`)
}

/** Compares arguments that mean something. Numbers are compared by value, whatever they were on the wire. @throws AmqpError */
export function checkSameArguments(
  what: string,
  known: readonly string[],
  received: ArgumentsJson,
  current: ArgumentsJson,
): void {
  for (const name of known) {
    const [a, b] = [received[name], current[name]]
    if (JSON.stringify(a) === JSON.stringify(b)) continue
    // RabbitMQ tells of types only where one of them is missing.
    if (a !== undefined && b !== undefined) throw inequivalent(what, name, `'${textOf(a)}'`, `'${textOf(b)}'`)
    throw inequivalent(what, name, told(a), told(b))
  }
}

/** @param what as `queue 'q' in vhost '/'` */
export function locked(what: string): AmqpError {
  return new AmqpError(
    'resource-locked',
    `cannot obtain exclusive access to locked ${what}. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
  )
}

function inequivalent(what: string, name: string, received: string, current: string): AmqpError {
  return new AmqpError(
    'precondition-failed',
    `inequivalent arg '${name}' for ${what}: received ${received} but current is ${current}`,
  )
}

function told(value: ArgumentJson | undefined): string {
  if (value === undefined) return 'none'
  return `the value '${textOf(value)}' of type '${typeName(value)}'`
}

function textOf(value: ArgumentJson): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function typeName(value: ArgumentJson): string {
  if (typeof value === 'string') return 'longstr'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value !== 'number') return Array.isArray(value) ? 'array' : value === null ? 'void' : 'table'
  if (!Number.isInteger(value)) return 'double'
  return value >= -0x8000_0000 && value <= 0x7fff_ffff ? 'signedint' : 'long'
}
