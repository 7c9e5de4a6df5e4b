import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyArguments, anyText, frameBytes } from '../../../../test/amqp/any-method.ts'
import {
  BASIC_ACK,
  BASIC_NACK,
  BASIC_PUBLISH,
  BASIC_REJECT,
  methodCode,
  PublishMethod,
  SettleMethod,
  writeAck,
  writeNack,
  writeReject,
} from './hot-methods.ts'
import { readMethod, writeMethod } from './method-codec.ts'
import type { MethodName, WrittenArguments } from './methods.ts'
import { Output } from './output.ts'

function written<Name extends MethodName>(name: Name, args: WrittenArguments<Name>, channel = 1): Uint8Array {
  const output = new Output()
  writeMethod(output, channel, name, args)
  return frameBytes(output)
}

const payloadOf = (frame: Uint8Array): Uint8Array => frame.subarray(7, frame.length - 1)

function outcomeOf(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    const { reply, classId, methodId } = error as { reply: string; classId: number; methodId: number }
    return { reply, classId, methodId }
  }
}

test('basic.publish is read as the table says, by one reader for all', () => {
  const reader = new PublishMethod()
  let before: string | undefined
  const few = fc.record({
    exchange: fc.constantFrom('', 'x', 'amq.topic'),
    routingKey: fc.oneof(fc.constantFrom('', 'k'), anyText(255)),
    mandatory: fc.boolean(),
    immediate: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.oneof(few, anyArguments('basic.publish')), (args) => {
      const payload = payloadOf(written('basic.publish', args))
      expect(methodCode(payload, 0, payload.length)).toBe(BASIC_PUBLISH)
      const route = JSON.stringify([args.exchange, args.routingKey])
      expect(reader.read(payload, 0, payload.length)).toBe(route === before)
      before = route
      const { exchange, routingKey, mandatory, immediate } = reader
      expect({ exchange, routingKey, mandatory, immediate }).toEqual(args)
    }),
    { numRuns: 2000 },
  )
})

test('basic.publish that is damaged is refused as the table says', () => {
  const damaged = fc
    .tuple(anyArguments('basic.publish'), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 2 }), fc.nat())
    .map(([args, changes, cut]) => {
      const payload = payloadOf(written('basic.publish', args)).slice()
      for (const [at, octet] of changes) payload[4 + (at % (payload.length - 4))] = octet
      return payload.subarray(0, cut % 2 === 0 ? payload.length : 4 + (cut % (payload.length - 3)))
    })
  fc.assert(
    fc.property(damaged, (payload) => {
      const hot = outcomeOf(() => {
        const reader = new PublishMethod()
        reader.read(payload, 0, payload.length)
        const { exchange, routingKey, mandatory, immediate } = reader
        return { exchange, routingKey, mandatory, immediate }
      })
      expect(hot).toEqual(outcomeOf(() => readMethod(payload, 0, payload.length).args))
    }),
    { numRuns: 2000 },
  )
})

test('after a publish that was refused the next one is read anew', () => {
  const reader = new PublishMethod()
  const good = payloadOf(written('basic.publish', { exchange: 'x', routingKey: 'k', mandatory: false, immediate: false }))
  reader.read(good, 0, good.length)
  expect(() => reader.read(good, 0, good.length - 2)).toThrow('basic.publish')
  expect(reader.read(good, 0, good.length)).toBe(false)
  expect([reader.exchange, reader.routingKey]).toEqual(['x', 'k'])
})

const tags = fc.oneof(fc.nat({ max: 1000 }), fc.maxSafeNat())

test('ack, nack and reject are read and written as the table says', () => {
  const settle = new SettleMethod()
  fc.assert(
    fc.property(tags, fc.boolean(), fc.boolean(), fc.nat({ max: 0xffff }), (deliveryTag, multiple, requeue, channel) => {
      const cases = [
        ['basic.ack', BASIC_ACK, { deliveryTag, multiple }],
        ['basic.nack', BASIC_NACK, { deliveryTag, multiple, requeue }],
        ['basic.reject', BASIC_REJECT, { deliveryTag, requeue }],
      ] as const
      for (const [name, code, args] of cases) {
        const frame = written(name, args as never, channel)
        const payload = payloadOf(frame)
        expect(methodCode(payload, 0, payload.length)).toBe(code)
        settle.read(code, payload, 0, payload.length)
        expect(settle).toEqual(Object.assign(new SettleMethod(), { multiple: false, requeue: false, ...args, code }))
        const output = new Output()
        if (code === BASIC_ACK) writeAck(output, channel, deliveryTag, multiple)
        else if (code === BASIC_NACK) writeNack(output, channel, deliveryTag, multiple, requeue)
        else writeReject(output, channel, deliveryTag, requeue)
        expect(frameBytes(output)).toEqual(frame)
        const cut = payload.subarray(0, payload.length - 1)
        const refused = outcomeOf(() => settle.read(code, cut, 0, cut.length))
        expect(refused).toEqual(outcomeOf(() => readMethod(cut, 0, cut.length)))
      }
    }),
  )
})
