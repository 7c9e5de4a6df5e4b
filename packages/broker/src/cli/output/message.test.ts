import type { StoredMessage } from '@millrace/client'
import { expect, test } from 'vitest'
import { messageColumns, printedMessage } from './message.ts'

function message(parts: Partial<StoredMessage>): StoredMessage {
  return {
    partition: 0,
    offset: 12,
    timestampMs: Date.UTC(2026, 0, 31),
    key: null,
    value: new TextEncoder().encode('hello'),
    headers: {},
    priority: 0,
    text: () => 'hello',
    json: () => undefined,
    ...parts,
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('text stays text, other bytes become base64 under a name that says so', () => {
  expect(printedMessage(message({}))).toEqual({
    partition: 0,
    offset: 12,
    timestampMs: Date.UTC(2026, 0, 31),
    headers: {},
    body: 'hello',
  })
  expect(printedMessage(message({ key: new Uint8Array([0xff]), value: new Uint8Array([0xfe, 0xff]) }))).toMatchObject({
    keyBase64: '/w==',
    bodyBase64: '/v8=',
  })
  expect(printedMessage(message({ value: null, headers: { a: bytes('1'), b: null, c: new Uint8Array([0xff]) } }))).toMatchObject({
    body: null,
    headers: { a: '1', b: null, c: { base64: '/w==' } },
  })
})

test('a body that says it is JSON is shown as JSON, if it is', () => {
  const headers = { 'content-type': bytes('application/json; charset=utf-8') }
  expect(printedMessage(message({ headers, value: bytes('{"total":42}') }))['body']).toEqual({ total: 42 })
  expect(printedMessage(message({ headers, value: bytes('{"total":') }))['body']).toBe('{"total":')
})

test('a long body is cut in the table', () => {
  const body = messageColumns.at(-1)!
  expect(body.cell(message({ value: new TextEncoder().encode('x'.repeat(500)) }))).toBe(`${'x'.repeat(77)}...`)
})
