import { encodeText } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyArguments, frameBytes } from '../../../../test/amqp/any-method.ts'
import { FRAME_METHOD, FrameReader } from './frame-reader.ts'
import { readMethod, shapeOf, writeMethod } from './method-codec.ts'
import { methodTable } from './methods.ts'
import type { MethodName } from './methods.ts'
import { Output } from './output.ts'

const names = Object.keys(methodTable) as MethodName[]

test.each(names)('%s is read as it was written', (name) => {
  fc.assert(
    fc.property(anyArguments(name), fc.integer({ min: 0, max: 0xffff }), (args, channel) => {
      const output = new Output()
      writeMethod(output, channel, name, args)
      const reader = new FrameReader()
      reader.payloadBytesMax = 1_000_000
      reader.feed(frameBytes(output))
      expect(reader.next()).toBe(true)
      expect([reader.type, reader.channel]).toEqual([FRAME_METHOD, channel])
      expect(readMethod(reader.bytes, reader.at, reader.end)).toEqual({ name, args })
      expect(reader.next()).toBe(false)
      expect(reader.midFrame).toBe(false)
    }),
    { numRuns: 30 },
  )
})

test.each(names)('%s is refused where it is cut off or something is left over, and nothing else happens', (name) => {
  const [args] = fc.sample(anyArguments(name), { seed: 1, numRuns: 1 })
  const output = new Output()
  writeMethod(output, 1, name, args!)
  const frame = frameBytes(output)
  const payload = frame.subarray(7, frame.length - 1)
  const [classId, methodId] = shapeOf(name).ids
  for (let length = 0; length < payload.length; length++) {
    const ids = length < 4 ? { classId: 0, methodId: 0 } : { classId, methodId }
    expect(() => readMethod(payload, 0, length)).toThrow(expect.objectContaining({ reply: 'syntax-error', ...ids }))
  }
  const longer = new Uint8Array(payload.length + 1)
  longer.set(payload)
  expect(() => readMethod(longer, 0, longer.length)).toThrow(
    expect.objectContaining({ reply: 'syntax-error', classId, methodId }),
  )
})

test('a method that does not exist', () => {
  expect(() => readMethod(new Uint8Array([0, 60, 0, 99]), 0, 4)).toThrow(
    expect.objectContaining({ reply: 'not-implemented', code: 540, scope: 'connection', classId: 60, methodId: 99 }),
  )
})

test('queue.declare, octet by octet', () => {
  const output = new Output()
  writeMethod(output, 3, 'queue.declare', {
    queue: 'q',
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: true,
    noWait: false,
    arguments: { 'x-max-length': 5 },
  })
  const name = [...encodeText('x-max-length')]
  const table = [name.length, ...name, 'I'.charCodeAt(0), 0, 0, 0, 5]
  const payload = [0, 50, 0, 10, 0, 0, 1, 0x71, 0b01010, 0, 0, 0, table.length, ...table]
  expect([...frameBytes(output)]).toEqual([1, 0, 3, 0, 0, 0, payload.length, ...payload, 0xce])
})

test('every reply is a method of the class of what it answers', () => {
  const withReply = names.flatMap((name) => {
    const { reply, ids } = shapeOf(name)
    return reply === undefined ? [] : [{ name, classId: ids[0], replyClassId: shapeOf(reply).ids[0] }]
  })
  expect(withReply.length).toBeGreaterThan(20)
  expect(withReply.filter(({ classId, replyClassId }) => classId !== replyClassId)).toEqual([])
})
