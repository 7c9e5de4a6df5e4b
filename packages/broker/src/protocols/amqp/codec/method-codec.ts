import { encodeText } from '@millrace/wire'
import { AmqpError } from '../amqp-error.ts'
import { ArgumentReader } from './argument-reader.ts'
import { encodeTable } from './field-table.ts'
import type { FieldTable, PlainTable } from './field-table.ts'
import { methodTable } from './methods.ts'
import type { FieldKind, Method, MethodName, MethodShape, WrittenArguments } from './methods.ts'
import type { Output } from './output.ts'

interface Field {
  readonly name: string
  readonly kind: FieldKind
  readonly isReserved: boolean
}

interface Shape extends MethodShape {
  readonly name: MethodName
  readonly list: readonly Field[]
}

const shapes = new Map<MethodName, Shape>()
const byIds = new Map<number, Shape>()
for (const [name, shape] of Object.entries(methodTable) as [MethodName, MethodShape][]) {
  const list = Object.entries(shape.fields).map(([field, kind]) => ({
    name: field,
    kind,
    isReserved: field.startsWith('reserved'),
  }))
  const whole: Shape = { ...shape, name, list }
  shapes.set(name, whole)
  byIds.set(idOf(shape.ids[0], shape.ids[1]), whole)
}

function idOf(classId: number, methodId: number): number {
  return classId * 0x1_0000 + methodId
}

export function shapeOf(name: MethodName): MethodShape {
  return shapes.get(name)!
}

/**
 * Reads the payload of a method frame.
 * @throws AmqpError `not-implemented` for an unknown method, `syntax-error` for arguments that are none, with class and method id where they are known
 */
export function readMethod(bytes: Uint8Array, at: number, end: number): Method {
  if (end - at < 4) throw new AmqpError('syntax-error', 'a method frame ends early')
  const classId = (bytes[at]! << 8) | bytes[at + 1]!
  const methodId = (bytes[at + 2]! << 8) | bytes[at + 3]!
  const shape = byIds.get(idOf(classId, methodId))
  try {
    if (shape === undefined) throw new AmqpError('not-implemented', `no method ${methodId} of class ${classId}`)
    return { name: shape.name, args: readArguments(shape, new ArgumentReader(bytes, at + 4, end)) } as Method
  } catch (error) {
    if (error instanceof AmqpError) {
      error.classId = classId
      error.methodId = methodId
    }
    throw error
  }
}

function readArguments(shape: Shape, reader: ArgumentReader): Record<string, unknown> {
  const args: Record<string, unknown> = {}
  for (const { name, kind, isReserved } of shape.list) {
    const value = reader[kind]()
    if (!isReserved) args[name] = value
  }
  if (reader.left > 0) throw new AmqpError('syntax-error', `${reader.left} bytes are left over behind ${shape.name}`)
  return args
}

/** Writes a method frame. */
export function writeMethod<Name extends MethodName>(
  output: Output,
  channel: number,
  name: Name,
  args: WrittenArguments<Name>,
): void {
  const shape = shapes.get(name)!
  output.beginMethod(channel, shape.ids[0], shape.ids[1])
  const values = args as Readonly<Record<string, unknown>>
  let bits = 0
  let count = 0
  for (const { name: field, kind, isReserved } of shape.list) {
    const value = isReserved ? emptyValues[kind] : values[field]
    if (kind === 'bit') {
      if (count === 8) {
        output.u8(bits)
        bits = count = 0
      }
      bits |= (value === true ? 1 : 0) << count++
      continue
    }
    if (count > 0) output.u8(bits)
    bits = count = 0
    writeField(output, kind, value)
  }
  if (count > 0) output.u8(bits)
  output.end()
}

const emptyValues = { octet: 0, short: 0, long: 0, longlong: 0, shortstr: '', longstr: '', bit: false, timestamp: 0, table: {} }

function writeField(output: Output, kind: Exclude<FieldKind, 'bit'>, value: unknown): void {
  switch (kind) {
    case 'octet':
      output.u8(value as number)
      break
    case 'short':
      output.u16(value as number)
      break
    case 'long':
      output.u32(value as number)
      break
    case 'longlong':
    case 'timestamp':
      output.u64(value as number)
      break
    case 'shortstr':
      output.shortString(value as string)
      break
    case 'longstr':
      output.longString(typeof value === 'string' ? encodeText(value) : (value as Uint8Array))
      break
    default:
      output.longString(encodeTable(value as FieldTable | PlainTable))
  }
}
