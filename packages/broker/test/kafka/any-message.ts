/** Messages of any API in any version, for property tests. */
import fc from 'fast-check'
import { type Field, type Fields, parseFields } from '../../src/protocols/kafka/codec/notation.ts'

const text = fc.string({ maxLength: 70 })
const uuid = fc.stringMatching(/^[0-9a-f]{32}$/)
const bytes = fc.uint8Array({ maxLength: 40 })

/** @param tagged whether tagged fields have values, too */
export function anyMessage(fields: Fields, version: number, tagged = true): fc.Arbitrary<Record<string, unknown>> {
  const present = parseFields(fields, version).filter(({ isPresent, tag }) => isPresent && (tagged || tag === undefined))
  return fc.record(Object.fromEntries(present.map((field) => [field.name, anyValue(field, version, tagged)])))
}

function anyValue(field: Field, version: number, tagged: boolean): fc.Arbitrary<unknown> {
  const one = field.fields === undefined ? anyScalar(field.type) : anyMessage(field.fields, version, tagged)
  const value: fc.Arbitrary<unknown> = field.isArray ? fc.array(one, { maxLength: 3 }) : one
  return field.isNullable ? fc.option(value) : value
}

function anyScalar(type: Field['type']): fc.Arbitrary<unknown> {
  switch (type) {
    case 'bool':
      return fc.boolean()
    case 'int8':
      return fc.integer({ min: -128, max: 127 })
    case 'int16':
      return fc.integer({ min: -32_768, max: 32_767 })
    case 'uint16':
      return fc.integer({ min: 0, max: 65_535 })
    case 'int32':
      return fc.integer()
    case 'int64':
      return fc.maxSafeInteger()
    case 'float64':
      return fc.double({ noNaN: true })
    case 'string':
      return fc.oneof(text, fc.string({ unit: 'grapheme', maxLength: 20 }))
    case 'uuid':
      return uuid
    case 'bytes':
    case 'records':
      return bytes
    default:
      throw new Error('a structure is no scalar')
  }
}
