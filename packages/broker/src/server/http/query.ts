import { MillraceError } from '../../base/errors.ts'
import type { StartPosition } from '../../core/broker.ts'
import { check, type JsonSchema, type ObjectSchema, type Typed } from '../../protocols/api/json-schema.ts'

/** Reads the query of a URL by a schema. Unknown and repeated parameters are errors. @throws MillraceError `bad_request` */
export function parseQuery(schema: ObjectSchema, search: URLSearchParams): Record<string, unknown> {
  const query = Object.create(null) as Record<string, unknown>
  for (const [name, text] of search) {
    if (Object.hasOwn(query, name)) throw new MillraceError('bad_request', `The query parameter ${name} is given twice.`)
    const property = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    query[name] = property === undefined ? text : typedValue(property, text)
  }
  return check(schema as Typed<Record<string, unknown>, ObjectSchema>, query, 'the query')
}

/** The value that the text stands for, or the text itself, which the check then explains. */
function typedValue(schema: JsonSchema, text: string): unknown {
  if (!('type' in schema)) return text
  if (schema.type === 'integer' || schema.type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  if (schema.type === 'boolean')
    return text === '' || text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text
  return text
}

export const startPositionParameter = {
  type: 'string',
  maxLength: 64,
  description: '`earliest`, `latest`, `offset:N` or `time:` with milliseconds since 1970 or an ISO 8601 time.',
} as const

/** @throws MillraceError `bad_request` */
export function parseStartPosition(text: string): StartPosition {
  if (text === 'earliest' || text === 'latest') return text
  const offset = /^(?:offset:)?(\d{1,15})$/.exec(text)
  if (offset !== null) return { offset: Number(offset[1]) }
  const time = /^time:(.+)$/.exec(text)?.[1]
  const timestampMs = time === undefined ? NaN : /^\d+$/.test(time) ? Number(time) : Date.parse(time)
  if (!Number.isFinite(timestampMs)) {
    throw new MillraceError(
      'bad_request',
      `${JSON.stringify(text)} is not a position: write earliest, latest, offset:N or time:2026-01-31T12:00:00Z.`,
    )
  }
  return { timestampMs }
}
