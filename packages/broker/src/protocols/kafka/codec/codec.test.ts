import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyMessage } from '../../../../test/kafka/any-message.ts'
import { allMessages } from '../messages/all.ts'
import { produce } from '../messages/records.ts'
import { ApiCodec } from './api-codec.ts'
import { StructCodec } from './compile.ts'
import { MessageFormatError, MessageReader } from './message-reader.ts'
import { MessageWriter } from './message-writer.ts'
import { type Fields, parseVersions } from './notation.ts'

interface Case {
  readonly name: string
  readonly fields: Fields
  readonly version: number
  readonly flexible: boolean
}

const cases: Case[] = allMessages.flatMap((api) => {
  const { min, max } = parseVersions(api.versions)
  return Array.from({ length: max - min + 1 }, (_, n) => min + n).flatMap((version) =>
    (['request', 'response'] as const).map((kind) => ({
      name: `${api.key} ${kind} version ${version}`,
      fields: api[kind],
      version,
      flexible: version >= (api.flexible ?? Infinity),
    })),
  )
})

function encoded(codec: StructCodec, message: Record<string, unknown>): Uint8Array {
  const writer = new MessageWriter(8)
  codec.write(writer, message)
  const bytes = Buffer.concat(writer.take())
  expect(writer.length).toBe(bytes.length)
  return new Uint8Array(bytes)
}

/** Why it could not be read. What does not read as a whole message fails in the one way that is expected. */
function refusal(codec: StructCodec, reader: MessageReader): MessageFormatError | undefined {
  try {
    codec.read(reader)
    return undefined
  } catch (error) {
    if (error instanceof MessageFormatError) return error
    throw error
  }
}

describe.each(cases)('$name', ({ fields, version, flexible }) => {
  const codec = new StructCodec(fields, version, flexible)

  test('reads what it writes; cut anywhere, it is refused', () => {
    fc.assert(
      fc.property(anyMessage(fields, version), (message) => {
        const bytes = encoded(codec, message)
        const reader = new MessageReader(bytes)
        const read = codec.read(reader)
        expect(reader.left).toBe(0)
        expect(read).toMatchObject(message)
        expect(encoded(codec, read)).toEqual(bytes)
        for (let end = 0; end < bytes.length; end++) {
          if (refusal(codec, new MessageReader(bytes, 0, end)) === undefined) throw new Error(`it was read from ${end} bytes`)
        }
      }),
      { numRuns: 4 },
    )
  })

  test('garbage is read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(refusal(codec, new MessageReader(bytes))?.name ?? 'none').toMatch(/^(none|MessageFormatError)$/)
      }),
      { numRuns: 20 },
    )
  })
})

test('what claims much is refused before memory is taken for it', () => {
  const arrays = new StructCodec({ numbers: '[]int32', text: 'string' }, 0, false)
  expect(() => arrays.read(new MessageReader(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 0)))).toThrow(/claims 2147483647 elements/)
  const tagged = new StructCodec({ tagged: 'int32 0+ tag 0' }, 0, true)
  expect(() => tagged.read(new MessageReader(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)))).toThrow(/tagged fields/)
  expect(() => tagged.read(new MessageReader(Uint8Array.of(1, 0, 5, 0, 0, 0, 1, 0)))).toThrow(/left over/)
  expect(() => arrays.read(new MessageReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0)))).toThrow(/may not be null/)
})

test('unknown tagged fields are passed over', () => {
  const codec = new StructCodec({ known: 'int8 0+ tag 3' }, 0, true)
  expect(codec.read(new MessageReader(Uint8Array.of(2, 1, 2, 9, 9, 3, 1, 7)))).toEqual({ known: 7 })
})

test('fields that a version does not have get their defaults', () => {
  const codec = new ApiCodec(produce)
  const writer = new MessageWriter()
  codec.writeResponse(writer, 3, {
    responses: [{ name: 't', partitionResponses: [{ index: 1, errorCode: 0, baseOffset: 2 ** 40 }] }],
  })
  const read = codec.readResponse(new MessageReader(new Uint8Array(Buffer.concat(writer.take()))), 3)
  expect(read).toMatchObject({
    responses: [{ partitionResponses: [{ baseOffset: 2 ** 40, logStartOffset: -1, recordErrors: [], errorMessage: null }] }],
    throttleTimeMs: 0,
  })
})
