import { FrameReader, frameSchemas, FrameWriter, ProtocolError, readFrame, writeFrame } from '@millrace/wire'
import type { Frame, FrameName } from '@millrace/wire'
import { expect, test } from 'vitest'
import { concat, fuzzing } from './fuzz.ts'
import { randomFrame } from './random-frame.ts'

const FRAME_BYTES_MAX = 1 << 20
const names = Object.keys(frameSchemas) as FrameName[]

test(
  'native frames: any cut of the stream gives the same frames',
  fuzzing((random) => {
    const sent = Array.from({ length: random.between(1, 8) }, () => randomFrame(random, random.pick(names)))
    const writer = new FrameWriter()
    for (const { name, ...body } of sent) writeFrame(writer, name, body as never)
    const stream = concat(...writer.take())
    const reader = new FrameReader(FRAME_BYTES_MAX)
    const received: Frame[] = []
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + random.between(1, random.pick([3, 20, 2000])))
      reader.feed(stream.slice(at, end))
      while (reader.next()) received.push(readFrame(reader.bytes, reader.view, reader.start, reader.end))
      at = end
    }
    expect(received).toEqual(sent)
    expect(reader.midFrame).toBe(false)
  }),
)

test(
  'native frames: damage ends in a protocol error or in a frame, nothing else',
  fuzzing((random) => {
    const writer = new FrameWriter()
    const { name, ...body } = randomFrame(random, random.pick(names))
    writeFrame(writer, name, body as never)
    const bytes = random.chance(0.1) ? random.bytes(random.between(1, 100)) : random.mutate(concat(...writer.take()))
    const reader = new FrameReader(FRAME_BYTES_MAX)
    try {
      reader.feed(bytes)
      while (reader.next()) readFrame(reader.bytes, reader.view, reader.start, reader.end)
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError)
    }
  }),
)

test(
  'native frames: a frame may not be longer than allowed, whatever it says',
  fuzzing((random) => {
    const limit = random.between(1, 100)
    const reader = new FrameReader(limit)
    const head = new Uint8Array(4)
    new DataView(head.buffer).setUint32(0, limit + random.between(1, 2 ** 31))
    reader.feed(head)
    expect(() => reader.next()).toThrow(ProtocolError)
  }),
)
