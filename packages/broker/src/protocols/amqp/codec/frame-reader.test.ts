import { encodeText } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRAME_BODY, FRAME_HEARTBEAT, FRAME_METHOD, FrameReader } from './frame-reader.ts'
import { Output } from './output.ts'
import { frameBytes } from '../../../../test/amqp/any-method.ts'

interface Frame {
  readonly type: number
  readonly channel: number
  readonly payload: readonly number[]
}

const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constantFrom(1, 2, 3),
    channel: fc.nat({ max: 0xffff }),
    payload: fc.array(fc.nat({ max: 255 }), { maxLength: 50 }),
  }),
  fc.constant({ type: FRAME_HEARTBEAT, channel: 0, payload: [] }),
)

function bytesOf(frames: readonly Frame[]): Uint8Array {
  const output = new Output()
  for (const { type, channel, payload } of frames) {
    output.begin(type, channel)
    output.copy(Uint8Array.from(payload))
    output.end()
  }
  return frameBytes(output)
}

function readAll(reader: FrameReader): Frame[] {
  const frames: Frame[] = []
  while (reader.next()) {
    const { type, channel, bytes, at, end } = reader
    frames.push({ type, channel, payload: [...bytes.subarray(at, end)] })
  }
  return frames
}

test('what is taken back comes again, wherever that is done and however the stream is cut', () => {
  const cases = fc.tuple(
    fc.array(anyFrame, { minLength: 1, maxLength: 10 }),
    fc.integer({ min: 1, max: 200 }),
    fc.array(fc.boolean(), { minLength: 1 }),
  )
  fc.assert(
    fc.property(cases, ([frames, size, takesBack]) => {
      const stream = bytesOf(frames)
      const reader = new FrameReader()
      const read: Frame[] = []
      let asked = 0
      const take = (bytes: Uint8Array): void => {
        reader.feed(bytes)
        while (reader.next()) {
          if (takesBack[asked++ % takesBack.length]!) {
            const rest = reader.unread()
            // The chunk is somebody else's by then.
            bytes.fill(0)
            reader.feed(rest)
            expect(reader.next()).toBe(true)
          }
          const { type, channel, bytes: payload, at, end } = reader
          read.push({ type, channel, payload: [...payload.subarray(at, end)] })
        }
      }
      for (let at = 0; at < stream.length; at += size) take(stream.slice(at, at + size))
      expect(read).toEqual(frames)
      expect(reader.midFrame).toBe(false)
    }),
  )
})

test('frames come out as they went in, however the stream is cut', () => {
  const cases = fc.tuple(fc.array(anyFrame, { maxLength: 10 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }))
  fc.assert(
    fc.property(cases, ([frames, sizes]) => {
      const stream = bytesOf(frames)
      const reader = new FrameReader()
      const read: Frame[] = []
      for (let at = 0, n = 0; at < stream.length; n++) {
        const size = sizes[n % sizes.length]!
        reader.feed(Buffer.from(stream.subarray(at, at + size)))
        read.push(...readAll(reader))
        at += size
      }
      expect(read).toEqual(frames)
      expect(reader.midFrame).toBe(false)
    }),
  )
})

test('a frame that lies in its chunk is shown there, one that spans chunks in a buffer that is used again', () => {
  const stream = bytesOf([
    { type: FRAME_METHOD, channel: 1, payload: [1, 2] },
    { type: FRAME_BODY, channel: 1, payload: [3, 4, 5] },
  ])
  const reader = new FrameReader()
  reader.feed(stream)
  reader.next()
  expect(reader.bytes.buffer).toBe(stream.buffer)
  const buffers = new Set<ArrayBufferLike>()
  for (let round = 0; round < 3; round++) {
    for (const chunk of [stream.slice(0, 12), stream.slice(12, 15), stream.slice(15)]) {
      reader.feed(chunk)
      while (reader.next()) if (reader.type === FRAME_BODY) buffers.add(reader.bytes.buffer)
    }
  }
  expect(buffers.size).toBe(1)
})

test('a frame that is too large is refused by its first seven bytes', () => {
  const reader = new FrameReader()
  reader.payloadBytesMax = 4096
  reader.feed(Uint8Array.from([1, 0, 1, 0, 0, 0x10, 0]))
  expect(reader.next()).toBe(false)
  for (const cut of [1, 7]) {
    const large = new FrameReader()
    large.payloadBytesMax = 4096
    const start = Uint8Array.from([3, 0, 1, 0xff, 0xff, 0xff, 0xff])
    large.feed(start.slice(0, cut))
    const readOn = (): boolean => {
      if (cut === 7) return large.next()
      large.next()
      large.feed(start.slice(cut))
      return large.next()
    }
    expect(readOn).toThrow(expect.objectContaining({ reply: 'frame-error', code: 501, scope: 'connection' }))
  }
})

test.each([
  ['an unknown type', [4, 0, 0, 0, 0, 0, 0, 0xce], 'frame-error'],
  ['a wrong end', [1, 0, 0, 0, 0, 0, 1, 7, 0xcd], 'frame-error'],
  ['a heartbeat on a channel', [8, 0, 1, 0, 0, 0, 0, 0xce], 'unexpected-frame'],
  ['a heartbeat that says something', [8, 0, 0, 0, 0, 0, 1, 0, 0xce], 'frame-error'],
])('%s is refused, in one piece or octet by octet', (_what, octets, reply) => {
  const refused = expect.objectContaining({ reply, scope: 'connection' })
  expect(() => {
    const reader = new FrameReader()
    reader.feed(Uint8Array.from(octets))
    reader.next()
  }).toThrow(refused)
  expect(() => {
    const reader = new FrameReader()
    for (const octet of octets) {
      reader.feed(Uint8Array.of(octet))
      reader.next()
    }
  }).toThrow(refused)
})

const amqp = [0x41, 0x4d, 0x51, 0x50]

test.each([
  ['0-9-1', [...amqp, 0, 0, 9, 1]],
  ['0-9-1', [...amqp, 1, 1, 0, 9]],
  ['1.0', [...amqp, 0, 1, 0, 0]],
  ['1.0-sasl', [...amqp, 3, 1, 0, 0]],
  ['1.0-tls', [...amqp, 2, 1, 0, 0]],
  ['unknown', [...amqp, 1, 1, 8, 0]],
  ['http', [...encodeText('GET / HTTP/1.1')]],
  ['http', [...encodeText('POST /x')]],
  ['tls', [0x16, 3, 1, 0]],
  ['unknown', [0]],
  ['unknown', [...encodeText('AMQX')]],
])('a client that wants %s is known by its first bytes', (greeting, octets) => {
  const whole = new FrameReader()
  whole.feed(Uint8Array.from(octets))
  expect(whole.greeting()).toBe(greeting)
  const piecewise = new FrameReader()
  let found: string | undefined
  for (const octet of octets) {
    if (found !== undefined) break
    piecewise.feed(Uint8Array.of(octet))
    found = piecewise.greeting()
  }
  expect(found).toBe(greeting)
})

test('frames may follow the greeting at once', () => {
  const reader = new FrameReader()
  const frame = { type: FRAME_METHOD, channel: 0, payload: [1, 2, 3] }
  reader.feed(Buffer.concat([Uint8Array.from([...amqp, 0, 0, 9, 1]), bytesOf([frame])]))
  expect(reader.greeting()).toBe('0-9-1')
  expect(readAll(reader)).toEqual([frame])
})
