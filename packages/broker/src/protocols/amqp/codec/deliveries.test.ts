import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyArguments, frameBytes } from '../../../../test/amqp/any-method.ts'
import { writeContent, writeDelivery, writeGetOk, writeReturn } from './deliveries.ts'
import { FRAME_BODY, FRAME_HEADER, FrameReader } from './frame-reader.ts'
import { writeMethod } from './method-codec.ts'
import { Output } from './output.ts'
import { encodeProperties, PROPERTIES_AT, readBodySize } from './properties.ts'

const encoder = new TextEncoder()

function shortString(text: string): Uint8Array {
  const bytes = encoder.encode(text)
  return Uint8Array.from([bytes.length, ...bytes])
}

const addressOf = (exchange: string, routingKey: string): Uint8Array =>
  Uint8Array.from([...shortString(exchange), ...shortString(routingKey)])

/** The content as the specification has it, frame by frame. */
function contentFrames(channel: number, properties: Uint8Array, body: Uint8Array, frameBytesMax: number): Output {
  const output = new Output()
  output.begin(FRAME_HEADER, channel)
  output.u16(60)
  output.u16(0)
  output.u64(body.length)
  output.copy(properties)
  output.end()
  for (let at = 0; at < body.length; at += frameBytesMax - 8) {
    output.begin(FRAME_BODY, channel)
    output.copy(body.subarray(at, at + frameBytesMax - 8))
    output.end()
  }
  return output
}

const bodies = fc.oneof(
  fc.nat({ max: 200 }),
  fc.nat({ max: 40_000 }),
  fc.constantFrom(4088, 4089, 8176, 8177, 8191, 8192, 131_064, 131_065),
)

test('a delivery is written as the table says, whatever its size', () => {
  const properties = encodeProperties({ contentType: 'text/plain', priority: 3 })
  const output = new Output()
  fc.assert(
    fc.property(
      anyArguments('basic.deliver'),
      fc.integer({ min: 1, max: 0xffff }),
      bodies,
      fc.nat({ max: 9 }),
      fc.constantFrom(4096, 8192, 131_072),
      (args, channel, length, at, frameBytesMax) => {
        const stored = Uint8Array.from({ length: at + length + 5 }, (_, n) => n * 7)
        const { consumerTag, deliveryTag, redelivered, exchange, routingKey } = args
        const message = { address: addressOf(exchange, routingKey), properties }
        const tag = shortString(consumerTag)
        writeDelivery(output, channel, tag, deliveryTag, redelivered, message, stored, at, length, frameBytesMax)
        const expected = new Output()
        writeMethod(expected, channel, 'basic.deliver', args)
        const body = stored.subarray(at, at + length)
        expect(output.bytes).toBe(expected.bytes + contentFrames(channel, properties, body, frameBytesMax).bytes)
        const frames = Buffer.concat([frameBytes(expected), frameBytes(contentFrames(channel, properties, body, frameBytesMax))])
        expect(Buffer.compare(frameBytes(output), frames)).toBe(0)
      },
    ),
    { numRuns: 200 },
  )
})

test('large bodies travel without a copy, in frames that the peer takes', () => {
  const output = new Output()
  const stored = new Uint8Array(300_000)
  writeContent(output, 1, encodeProperties({}), stored, 100, 250_000, 131_072)
  const chunks = output.take()
  expect(chunks.filter((chunk) => chunk.buffer === stored.buffer).map((chunk) => chunk.length)).toEqual([131_064, 118_936])
  const reader = new FrameReader()
  reader.payloadBytesMax = 131_064
  reader.feed(Buffer.concat(chunks))
  expect(reader.next()).toBe(true)
  expect(readBodySize(reader.bytes, reader.at, reader.end)).toBe(250_000)
  expect(reader.end - reader.at).toBe(PROPERTIES_AT + 2)
  expect([reader.next(), reader.next(), reader.next()]).toEqual([true, true, false])
})

test('basic.get-ok and basic.return are written as the table says', () => {
  fc.assert(
    fc.property(anyArguments('basic.get-ok'), anyArguments('basic.return'), (got, returned) => {
      const properties = encodeProperties({})
      const output = new Output()
      const address = addressOf(got.exchange, got.routingKey)
      writeGetOk(output, 5, got.deliveryTag, got.redelivered, got.messageCount, { address, properties })
      writeReturn(output, 6, returned.replyCode, returned.replyText, addressOf(returned.exchange, returned.routingKey))
      const expected = new Output()
      writeMethod(expected, 5, 'basic.get-ok', got)
      writeMethod(expected, 6, 'basic.return', returned)
      expect(frameBytes(output)).toEqual(frameBytes(expected))
    }),
  )
})
