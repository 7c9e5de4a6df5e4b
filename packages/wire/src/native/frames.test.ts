import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameNameOf, readFrame, writeFrame } from './frame-codec.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { type FieldTypes, type Frame, type FrameName, frameSchemas, ProtocolError } from './frames.ts'
import {
  beginSettle,
  ConfirmFrame,
  DeliverFrame,
  PublishFrame,
  SettleFrame,
  writeDeliver,
  writePublish,
  writePublishLater,
  writeSettleRange,
} from './hot-frames.ts'

type Kind = keyof FieldTypes
const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const u32 = fc.nat({ max: 0xffff_ffff })
const jsonObject = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })) as fc.Arbitrary<FieldTypes['json']>
const range = fc
  .record({ partition: u32, a: offset, b: offset, attempt: u32 })
  .map(({ partition, a, b, attempt }) => ({ partition, first: Math.min(a, b), last: Math.max(a, b), attempt }))
const kinds: { readonly [K in Kind]: fc.Arbitrary<FieldTypes[K]> } = {
  u8: fc.nat({ max: 255 }),
  u32,
  i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  u64: offset,
  offset,
  string: fc.string({ unit: 'grapheme' }),
  // As it comes back from JSON.
  json: jsonObject.map((value) => JSON.parse(JSON.stringify(value)) as FieldTypes['json']),
  offsets: fc.array(fc.oneof(offset, fc.constant(Number.NaN)), { maxLength: 20 }),
  ranges: fc.array(range, { maxLength: 20 }),
  places: fc
    .uniqueArray(fc.record({ position: u32, partition: u32, offset: fc.oneof(offset, fc.constant(-1)) }), {
      selector: ({ position }) => position,
      maxLength: 20,
    })
    .map((places) => places.toSorted((a, b) => a.position - b.position)),
  rest: fc.uint8Array({ maxLength: 300 }),
  restJson: fc.constant(undefined),
}
const arbitraryFrame: fc.Arbitrary<Frame> = fc.oneof(
  ...(Object.keys(frameSchemas) as FrameName[]).map((name) => {
    const fields = Object.entries(frameSchemas[name].fields as Record<string, Kind>)
    const body = Object.fromEntries(fields.map(([field, kind]) => [field, kinds[kind] as fc.Arbitrary<unknown>]))
    return fc.record(body).map((values) => ({ name, ...values }) as unknown as Frame)
  }),
)

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function written(frame: Frame): Uint8Array {
  const writer = new FrameWriter()
  const { name, ...body } = frame
  writeFrame(writer, name, body as never)
  return joined(writer.take())
}

function standingOn(frame: Uint8Array): FrameReader {
  const reader = new FrameReader(1 << 30)
  reader.feed(frame)
  expect(reader.next()).toBe(true)
  return reader
}

function read(bytes: Uint8Array): Frame {
  return readFrame(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 4, bytes.length)
}

/** A frame's name, or the kind of error that its bytes gave. */
function nameOrError(bytes: Uint8Array, start: number): string {
  try {
    return readFrame(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), start, bytes.length).name
  } catch (error) {
    return (error as Error).name
  }
}

const expectedOutcomes: readonly string[] = [...Object.keys(frameSchemas), 'ProtocolError']

/** A `reply` with any text where its JSON belongs. */
function reply(json: string): Uint8Array {
  const writer = new FrameWriter()
  writer.begin(frameSchemas.reply.opcode)
  writer.u32(1)
  writer.u32(json.length)
  writer.copy(new TextEncoder().encode(json))
  writer.end()
  return joined(writer.take())
}

describe('frame codec', () => {
  it('has one opcode per frame', () => {
    const opcodes = Object.values(frameSchemas).map((schema) => schema.opcode)
    expect(new Set(opcodes).size).toBe(opcodes.length)
    for (const name of Object.keys(frameSchemas) as FrameName[]) expect(frameNameOf(frameSchemas[name].opcode)).toBe(name)
    expect(frameNameOf(0xff)).toBeUndefined()
  })

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(arbitraryFrame, (frame) => {
        expect(read(written(frame))).toEqual(frame)
      }),
    )
  })

  it('answers a frame that is cut anywhere, or too long, with a protocol error', () => {
    fc.assert(
      fc.property(arbitraryFrame, (frame) => {
        const bytes = written(frame)
        for (let length = 5; length < bytes.length; length++) {
          const cut = bytes.slice(0, length)
          // A frame that ends with free bytes may be cut inside them.
          try {
            expect(read(cut).name).toBe(frame.name)
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
        }
        const fields: Record<string, string> = frameSchemas[frame.name].fields
        if (Object.values(fields).some((kind) => kind === 'rest' || kind === 'restJson')) return
        expect(() => read(joined([bytes, Uint8Array.of(0)]))).toThrow(ProtocolError)
        if (bytes.length > 5) expect(() => read(bytes.slice(0, -1))).toThrow(ProtocolError)
      }),
      { numRuns: 300 },
    )
  })

  it('answers random and changed bytes with a frame or a protocol error, nothing else', () => {
    const mutated = fc.tuple(arbitraryFrame, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }))
    const garbage = fc.uint8Array({ minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(garbage, (bytes) => {
        expect(expectedOutcomes).toContain(nameOrError(bytes, 0))
      }),
    )
    fc.assert(
      fc.property(mutated, ([frame, changes]) => {
        const bytes = written(frame).slice()
        for (const [at, value] of changes) bytes[4 + (at % (bytes.length - 4))] = value
        expect(expectedOutcomes).toContain(nameOrError(bytes, 4))
      }),
    )
  })

  it('refuses text that is not UTF-8 and JSON that is no object', () => {
    expect(read(reply('{"a":1}'))).toEqual({ name: 'reply', call: 1, result: { a: 1 } })
    for (const json of ['[]', 'null', '1', '{', '']) expect(() => read(reply(json))).toThrow(ProtocolError)
    const bad = reply('{"a":"x"}')
    bad[bad.length - 3] = 0xff
    expect(() => read(bad)).toThrow(/UTF-8/)
  })
})

describe('frame reader', () => {
  const frames = fc.array(arbitraryFrame, { maxLength: 12 })

  it('finds the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }), (list, cuts) => {
        const stream = joined(list.map(written))
        const reader = new FrameReader(1 << 20)
        const found: Frame[] = []
        for (let at = 0, n = 0; at < stream.length; n++) {
          const size = cuts[n % cuts.length]!
          reader.feed(stream.subarray(at, at + size))
          while (reader.next()) found.push(readFrame(reader.bytes, reader.view, reader.start, reader.end))
          at += size
        }
        expect(found).toEqual(list)
        expect(reader.midFrame).toBe(false)
      }),
    )
  })

  it('shows a frame in place when it lies whole in a chunk, and in a buffer of its length otherwise', () => {
    const frame = written({ name: 'publish', publisher: 1, partition: 0, batch: new Uint8Array(100) })
    const reader = new FrameReader(1000)
    reader.feed(frame)
    expect(reader.next()).toBe(true)
    expect(reader.bytes.buffer).toBe(frame.buffer)
    expect(reader.next()).toBe(false)
    reader.feed(frame.subarray(0, 50))
    expect(reader.next()).toBe(false)
    expect(reader.midFrame).toBe(true)
    reader.feed(frame.subarray(50))
    expect(reader.next()).toBe(true)
    expect([reader.start, reader.end, reader.bytes.length]).toEqual([0, frame.length - 4, frame.length - 4])
  })

  it('uses the memory of a large frame again where frames are borrowed, for whichever reader comes next', () => {
    const readers = [new FrameReader(1 << 20, true), new FrameReader(1 << 20, true), new FrameReader(1 << 20)]
    const streams = readers.map((_, n) =>
      written({ name: 'publish', publisher: 1, partition: 0, batch: new Uint8Array(300_000).fill(n) }),
    )
    for (const [n, reader] of readers.entries()) reader.feed(streams[n]!.subarray(0, 1000))
    for (const reader of readers) expect(reader.next()).toBe(false)
    const buffers = readers.map((reader, n) => {
      reader.feed(streams[n]!.subarray(1000))
      expect(reader.next()).toBe(true)
      expect(Buffer.compare(reader.bytes.subarray(reader.start, reader.end), streams[n]!.subarray(4))).toBe(0)
      const { buffer } = reader.bytes
      expect(reader.next()).toBe(false)
      return buffer
    })
    expect(new Set(buffers).size).toBe(3)
    const next = new FrameReader(1 << 20, true)
    next.feed(streams[0]!.subarray(0, 1000))
    expect(next.next()).toBe(false)
    next.feed(streams[0]!.subarray(1000))
    expect(next.next()).toBe(true)
    expect(buffers.slice(0, 2)).toContain(next.bytes.buffer)
  })

  it('refuses a length before it makes room for it', () => {
    const reader = new FrameReader(16_384)
    reader.feed(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))
    expect(() => reader.next()).toThrow(/at most 16384/)
    const split = new FrameReader(16_384)
    split.feed(Uint8Array.of(0x7f))
    expect(split.next()).toBe(false)
    split.feed(Uint8Array.of(0xff, 0xff, 0xff))
    expect(() => split.next()).toThrow(ProtocolError)
    const empty = new FrameReader(16_384)
    empty.feed(Uint8Array.of(0, 0, 0, 0))
    expect(() => empty.next()).toThrow(/length 0/)
  })
})

describe('frame writer', () => {
  it('passes large payloads on without a copy, and never touches what it handed over', () => {
    const writer = new FrameWriter()
    const large = new Uint8Array(20_000).fill(7)
    writeFrame(writer, 'ping', {})
    writer.begin(frameSchemas.publish.opcode)
    writer.u32(5)
    writer.i32(-1)
    writer.endWith(large)
    writeFrame(writer, 'pong', {})
    expect(writer.bytes).toBe(5 + 13 + 20_000 + 5)
    const chunks = writer.take()
    expect(chunks[1]).toBe(large)
    const before = joined(chunks)
    for (let n = 0; n < 1000; n++) writeFrame(writer, 'goodbye', { reason: { code: 'x', message: 'y'.repeat(n) } })
    expect(joined(chunks)).toEqual(before)
    expect(writer.bytes).toBeGreaterThan(500_000)
    writer.take()
    expect(writer.bytes).toBe(0)
  })
})

describe('hot frames', () => {
  const publish = fc.record({ publisher: u32, partition: kinds.i32, batch: kinds.rest })
  const deliver = fc.record({
    consumer: u32,
    partition: u32,
    baseOffset: offset,
    deltas: fc.tuple(u32, u32).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    attempt: u32,
    batch: kinds.rest,
  })

  it('publishLater agrees with its schema', () => {
    fc.assert(
      fc.property(fc.record({ publisher: u32, partition: kinds.i32, dueMs: kinds.offset, batch: kinds.rest }), (body) => {
        const writer = new FrameWriter()
        writePublishLater(writer, body.publisher, body.partition, body.dueMs, body.batch)
        expect(joined(writer.take())).toEqual(written({ name: 'publishLater', ...body }))
      }),
    )
  })

  it('publish agrees with its schema', () => {
    fc.assert(
      fc.property(publish, (body) => {
        const writer = new FrameWriter()
        writePublish(writer, body.publisher, body.partition, body.batch)
        const bytes = joined(writer.take())
        expect(bytes).toEqual(written({ name: 'publish', ...body }))
        const frame = new PublishFrame()
        frame.read(standingOn(bytes))
        expect(frame).toMatchObject(body)
      }),
    )
  })

  it('deliver agrees with its schema', () => {
    fc.assert(
      fc.property(deliver, ({ deltas: [firstDelta, lastDelta], ...rest }) => {
        const { consumer, partition, baseOffset, attempt, batch } = rest
        const writer = new FrameWriter()
        writeDeliver(writer, consumer, partition, baseOffset, firstDelta, lastDelta, attempt, batch)
        const bytes = joined(writer.take())
        expect(bytes).toEqual(written({ name: 'deliver', ...rest, firstDelta, lastDelta }))
        const frame = new DeliverFrame()
        frame.read(standingOn(bytes))
        expect(frame).toMatchObject({ ...rest, firstDelta, lastDelta })
      }),
    )
  })

  it('confirm agrees with its schema', () => {
    fc.assert(
      fc.property(kinds.offsets, (baseOffsets) => {
        const frame = new ConfirmFrame()
        frame.read(standingOn(written({ name: 'confirm', baseOffsets })))
        expect(Array.from({ length: frame.count }, (_, n) => frame.baseOffset(n))).toEqual(baseOffsets)
      }),
    )
  })

  it('settle agrees with its schema', () => {
    fc.assert(
      fc.property(
        u32,
        fc.nat({ max: 255 }),
        kinds.ranges,
        fc.option(jsonObject, { nil: undefined }),
        (consumer, outcome, ranges, options) => {
          const writer = new FrameWriter()
          beginSettle(writer, consumer, outcome, ranges.length)
          for (const { partition, first, last, attempt } of ranges) writeSettleRange(writer, partition, first, last, attempt)
          if (options !== undefined) writer.json(options)
          writer.end()
          const bytes = joined(writer.take())
          expect(bytes).toEqual(written({ name: 'settle', consumer, outcome, ranges, options }))
          const frame = new SettleFrame()
          const reader = standingOn(bytes)
          frame.read(reader)
          const seen = ranges.map((_, n) => {
            frame.range(n)
            return { partition: frame.partition, first: frame.first, last: frame.last, attempt: frame.attempt }
          })
          expect(seen).toEqual(ranges)
          expect(frame.optionsAt === reader.end).toBe(options === undefined)
        },
      ),
    )
  })

  it('answers cut and random bytes with a protocol error, nothing else', () => {
    const readers = [new PublishFrame(), new DeliverFrame(), new ConfirmFrame(), new SettleFrame()]
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 120 }), (bytes) => {
        for (const frame of readers) {
          for (let end = 1; end <= bytes.length; end++) {
            try {
              frame.read({ bytes, view: new DataView(bytes.buffer), start: 0, end })
            } catch (error) {
              expect(error).toBeInstanceOf(ProtocolError)
            }
          }
        }
      }),
    )
  })
})
