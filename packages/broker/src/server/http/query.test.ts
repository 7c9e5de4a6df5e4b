import { expect, test } from 'vitest'
import type { ObjectSchema } from '../../protocols/api/json-schema.ts'
import { decodeHandle, encodeHandle } from './handle.ts'
import { parseQuery, parseStartPosition } from './query.ts'

const schema: ObjectSchema = {
  type: 'object',
  properties: { max: { type: 'integer', minimum: 1 }, create: { type: 'boolean' }, name: { type: 'string' } },
  additionalProperties: false,
}
const parse = (query: string): unknown => parseQuery(schema, new URLSearchParams(query))

test('query parameters get their type', () => {
  expect({ ...(parse('max=5&create&name=7') as object) }).toEqual({ max: 5, create: true, name: '7' })
  expect(parse('create=false')).toEqual({ create: false })
  expect(parse('')).toEqual({})
})

test.each([['max=0'], ['max=x'], ['max=1.5'], ['create=perhaps'], ['max=1&max=2'], ['mx=1'], ['__proto__=1']])(
  '%s is refused',
  (query) => {
    expect(() => parse(query)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  },
)

test('a misspelt parameter is named', () => {
  expect(() => parse('mx=1')).toThrow('max')
})

test.each([
  ['earliest', 'earliest'],
  ['latest', 'latest'],
  ['offset:17', { offset: 17 }],
  ['17', { offset: 17 }],
  ['time:2026-01-31T12:00:00Z', { timestampMs: 1769860800000 }],
  ['time:1769860800000', { timestampMs: 1769860800000 }],
])('the position %s', (text, position) => expect(parseStartPosition(text)).toEqual(position))

test.each(['', 'first', 'offset:', 'offset:-1', 'time:', 'time:noon'])('%j is no position', (text) => {
  expect(() => parseStartPosition(text)).toThrow(expect.objectContaining({ code: 'bad_request' }))
})

test('handles come back as they were made, and nothing else is one', () => {
  const handle = { consumer: 'k3x9', partition: 3, offset: 9_007_199_254_740, attempt: 2 }
  expect(decodeHandle(encodeHandle(handle))).toEqual(handle)
  expect(encodeHandle(handle)).toMatch(/^[\w-]+$/)
  for (const text of [
    '',
    'x',
    'AAAA',
    Buffer.from('a.1.2').toString('base64url'),
    Buffer.from('a.1.2.-3').toString('base64url'),
  ]) {
    expect(() => decodeHandle(text)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  }
})
