import fc from 'fast-check'
import { decodeTable, encodeTable, FieldTable, TypedValue } from '../../src/protocols/amqp/codec/field-table.ts'
import type { FieldValue } from '../../src/protocols/amqp/codec/field-table.ts'
import { shapeOf } from '../../src/protocols/amqp/codec/method-codec.ts'
import type { FieldKind, FieldKinds, MethodArguments, MethodName } from '../../src/protocols/amqp/codec/methods.ts'
import type { Output } from '../../src/protocols/amqp/codec/output.ts'

/** Everything that was written, as one piece. */
export function frameBytes(output: Output): Uint8Array {
  const chunks = output.take()
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

export function anyArguments<Name extends MethodName>(name: Name): fc.Arbitrary<MethodArguments<Name>> {
  const fields = Object.entries(shapeOf(name).fields).filter(([field]) => !field.startsWith('reserved'))
  return fc.record(Object.fromEntries(fields.map(([field, kind]) => [field, fieldKinds[kind]]))) as unknown as fc.Arbitrary<
    MethodArguments<Name>
  >
}

/** At most `bytes` in UTF-8. */
export function anyText(bytes: number): fc.Arbitrary<string> {
  return fc.string({ unit: 'binary', maxLength: Math.floor(bytes / 4) })
}

const fixed = (type: string, bytes: number): fc.Arbitrary<TypedValue> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((content) => new TypedValue(type, new Uint8Array(content)))

const { value } = fc.letrec<{ value: FieldValue; table: FieldTable; array: FieldValue[] }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyText(40),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.double({ noNaN: true, noInteger: true }),
    fc.constant(null),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => new Uint8Array(bytes)),
    fc.oneof(fixed('b', 1), fixed('B', 1), fixed('s', 2), fixed('u', 2)),
    fc.oneof(fixed('i', 4), fixed('f', 4), fixed('D', 5), fixed('L', 8), fixed('T', 8)),
    tie('table'),
    tie('array'),
  ),
  table: tableOf(tie('value')),
  array: fc.array(tie('value'), { maxLength: 4 }),
}))

/** Of every type. */
export const anyTable: fc.Arbitrary<FieldTable> = tableOf(value)

function tableOf(values: fc.Arbitrary<FieldValue>): fc.Arbitrary<FieldTable> {
  return fc.array(fc.tuple(anyText(40), values), { maxLength: 5 }).map(
    (entries) =>
      new FieldTable(
        entries.map(([name]) => name),
        entries.map(([, each]) => each),
      ),
  )
}

const fieldKinds: { readonly [Kind in FieldKind]: fc.Arbitrary<FieldKinds[Kind]> } = {
  octet: fc.nat({ max: 0xff }),
  short: fc.nat({ max: 0xffff }),
  long: fc.integer({ min: 0, max: 0xffff_ffff }),
  longlong: fc.maxSafeNat(),
  timestamp: fc.maxSafeNat(),
  shortstr: anyText(255),
  longstr: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
  bit: fc.boolean(),
  // As it is read: numbers whose type says no more than their size are numbers.
  table: anyTable.map((table) => {
    const bytes = encodeTable(table)
    return decodeTable(bytes, 0, bytes.length)
  }),
}
