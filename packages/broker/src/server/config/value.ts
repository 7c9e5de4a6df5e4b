import { unreachable } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { KeyType } from './keys.ts'
import type { HostPort } from './config.ts'
import { parseHostPort } from './host-port.ts'
import { formatBytes, parseBytes, parseDuration } from './quantities.ts'

type ScalarType = Exclude<KeyType, { readonly kind: 'listen' }>

/**
 * Reads one value, whether it came as text (environment, flag) or typed (YAML).
 * @throws MillraceError `bad_config`, saying what would be right
 */
export function parseValue(type: ScalarType, value: unknown): string | number | boolean | readonly string[] | HostPort {
  switch (type.kind) {
    case 'text':
      if (typeof value === 'string' && value !== '') return value
      throw wrong(value, 'text that is not empty')
    case 'switch':
      if (typeof value === 'boolean') return value
      if (value === 'true' || value === '1' || value === 'yes' || value === 'on') return true
      if (value === 'false' || value === '0' || value === 'no' || value === 'off') return false
      throw wrong(value, 'true or false')
    case 'choice':
      if (typeof value === 'string' && type.of.includes(value)) return value
      throw wrong(value, `one of ${type.of.join(', ')}`)
    case 'bytes':
      return within(type, parseBytes(value), value, 'a size such as 1048576 or 64MiB', formatBytes)
    case 'duration':
      return within(type, parseDuration(value), value, 'a duration such as 500 (milliseconds), 30s or 5m', (ms) => `${ms}ms`)
    case 'count': {
      const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
      return within(
        type,
        typeof count === 'number' && Number.isInteger(count) ? count : undefined,
        value,
        'a whole number',
        String,
      )
    }
    case 'list':
      if (typeof value === 'string')
        return value
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
      if (Array.isArray(value) && value.every((part) => typeof part === 'string'))
        return value.flatMap((part) => parseValue(type, part) as string[])
      throw wrong(value, 'a list of texts')
    case 'address': {
      const address = typeof value === 'string' ? parseHostPort(value) : undefined
      if (address?.host !== undefined && address.port > 0) return { host: address.host, port: address.port }
      throw wrong(value, 'HOST:PORT, with IPv6 addresses in brackets')
    }
    default:
      return unreachable(type)
  }
}

function within(
  limits: { readonly min: number; readonly max: number },
  parsed: number | undefined,
  value: unknown,
  what: string,
  format: (value: number) => string,
): number {
  if (parsed === undefined) throw wrong(value, what)
  if (parsed >= limits.min && parsed <= limits.max) return parsed
  throw wrong(value, `${format(limits.min)} to ${format(limits.max)}`)
}

function wrong(value: unknown, expected: string): MillraceError {
  return new MillraceError('bad_config', `${JSON.stringify(value)} is not valid: it must be ${expected}`)
}
