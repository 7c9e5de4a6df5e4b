import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyMessage } from '../../../../../test/kafka/any-message.ts'
import { metadata } from '../../messages/cluster.ts'
import { fetch } from '../../messages/records.ts'
import { StructCodec } from '../compile.ts'
import { MessageFormatError, MessageReader } from '../message-reader.ts'
import { MessageWriter } from '../message-writer.ts'
import { type ApiDefinition, type Fields, parseVersions } from '../notation.ts'
import { fetchCodec } from './fetch-codec.ts'
import { metadataCodec } from './metadata-codec.ts'

/** What is written by hand does what the compiled codec does, in every version that is served. */

type Message = Record<string, unknown>

interface AnyHotCodec {
  readRequest?(reader: MessageReader, version: number): unknown
  writeResponse?(writer: MessageWriter, version: number, response: never): boolean
}

const hot: readonly (readonly [string, ApiDefinition, AnyHotCodec])[] = [
  ['fetch', fetch, fetchCodec],
  ['metadata', metadata, metadataCodec],
]

const cases = hot.flatMap(([name, api, codec]) => {
  const { min, max } = parseVersions(api.versions)
  return Array.from({ length: max - min + 1 }, (_, n) => ({ name, api, codec, version: min + n }))
})

function written(write: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter(8)
  write(writer)
  return new Uint8Array(Buffer.concat(writer.take()))
}

/** What is read, or why nothing is. */
function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof MessageFormatError) return 'refused'
    throw error
  }
}

describe.each(cases.filter(({ codec }) => codec.readRequest !== undefined))('$name requests of version $version', (one) => {
  const { api, codec, version } = one
  const request = new StructCodec(api.request, version, version >= (api.flexible ?? Infinity))

  test('are read as by the compiled codec, cut anywhere too', () => {
    fc.assert(
      fc.property(anyMessage(api.request, version, false), (message) => {
        const bytes = written((writer) => request.write(writer, message))
        const reader = new MessageReader(bytes)
        expect(codec.readRequest!(reader, version)).toEqual(request.read(new MessageReader(bytes)))
        expect(reader.left).toBe(0)
        for (let end = 0; end < bytes.length; end++) {
          expect(outcome(() => codec.readRequest!(new MessageReader(bytes, 0, end), version))).toBe('refused')
        }
      }),
      { numRuns: 30 },
    )
  })

  test('with tagged fields, or of garbage, are read as well, or left to it', () => {
    const requests = anyMessage(api.request, version).map((message) => written((writer) => request.write(writer, message)))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), requests), (bytes) => {
        const read = outcome(() => codec.readRequest!(new MessageReader(bytes), version))
        expect(
          read === undefined ||
            isDeepStrictEqual(
              read,
              outcome(() => request.read(new MessageReader(bytes))),
            ),
        ).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})

describe.each(cases)('$name responses of version $version', ({ api, codec, version }) => {
  const response = new StructCodec(api.response, version, version >= (api.flexible ?? Infinity))

  test('are written as by the compiled codec, or left to it', () => {
    const whole = anyMessage(api.response, version, false)
    fc.assert(
      fc.property(
        fc.oneof(
          whole,
          anyMessage(api.response, version),
          whole.map((message) => withoutOptional(message, api.response)),
        ),
        (message) => {
          const bytes = written((writer) => response.write(writer, message))
          let isDone = true
          const byHand = written((writer) => {
            isDone = codec.writeResponse!(writer, version, message as never)
          })
          expect(byHand).toEqual(isDone ? bytes : new Uint8Array())
          // The compiled codec reads it back: it is a message.
          if (isDone) expect(response.read(new MessageReader(byHand))).toMatchObject(message)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('without tagged fields are not left to it', () => {
    fc.assert(
      fc.property(anyMessage(api.response, version, false), (message) => {
        written((writer) => expect(codec.writeResponse!(writer, version, message as never)).toBe(true))
      }),
      { numRuns: 10 },
    )
  })
})

/** What may be left out is, at all levels: defaults count for it. */
function withoutOptional(message: Message, fields: Fields): Message {
  const required = Object.entries(message).flatMap(([name, value]): [string, unknown][] => {
    const notation = fields[name]!
    const [text, inner] = typeof notation === 'string' ? [notation, undefined] : notation
    if (text.includes(' ')) return []
    if (inner === undefined || !Array.isArray(value)) return [[name, value]]
    return [[name, value.map((element) => withoutOptional(element as Message, inner))]]
  })
  return Object.fromEntries(required)
}
