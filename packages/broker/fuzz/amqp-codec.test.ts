import { batchProblem, encodeText, RecordBatchBuilder, RecordCursor, recordsProblem } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AmqpError } from '../src/protocols/amqp/amqp-error.ts'
import { checkTable, decodeTable, encodeTable } from '../src/protocols/amqp/codec/field-table.ts'
import { FrameReader } from '../src/protocols/amqp/codec/frame-reader.ts'
import {
  BASIC_ACK,
  BASIC_NACK,
  BASIC_PUBLISH,
  BASIC_REJECT,
  methodCode,
  PublishMethod,
  SettleMethod,
} from '../src/protocols/amqp/codec/hot-methods.ts'
import { readMethod, writeMethod } from '../src/protocols/amqp/codec/method-codec.ts'
import { methodTable } from '../src/protocols/amqp/codec/methods.ts'
import type { MethodName } from '../src/protocols/amqp/codec/methods.ts'
import { Output } from '../src/protocols/amqp/codec/output.ts'
import { encodeProperties, Properties } from '../src/protocols/amqp/codec/properties.ts'
import { limits } from '../src/protocols/amqp/limits.ts'
import { MessagesIn } from '../src/protocols/amqp/message-in.ts'
import { MessagesOut } from '../src/protocols/amqp/message-out.ts'
import { valuesOf } from '../test/amqp/amqp-message.ts'
import { anyArguments, anyTable, frameBytes } from '../test/amqp/any-method.ts'
import { anyProperties } from '../test/amqp/any-properties.ts'
import { concat, fuzzing } from './fuzz.ts'
import type { FuzzRandom } from './fuzz.ts'

const methodNames = Object.keys(methodTable) as MethodName[]
const RECORD_MS = 1_700_000_000_000

function sample<Value>(random: FuzzRandom, arbitrary: fc.Arbitrary<Value>): Value {
  return fc.sample(arbitrary, { seed: random.between(0, 2 ** 31 - 1), numRuns: 1 })[0]!
}

/** Sense, nonsense and damage. */
function damaged(random: FuzzRandom, bytes: Uint8Array): Uint8Array {
  if (random.chance(0.2)) return random.bytes(random.between(0, 60))
  return random.chance(0.2) ? bytes : random.mutate(bytes)
}

/** What it comes to: a value, or the reply of the decoder's own error. Any other exception is a finding. */
function outcomeOf<Value>(read: () => Value): Value | { readonly refused: string } {
  try {
    return read()
  } catch (error) {
    if (error instanceof AmqpError) return { refused: error.reply }
    throw error
  }
}

const isRefused = (outcome: unknown): boolean => typeof outcome === 'object' && outcome !== null && 'refused' in outcome

test(
  'frames: the same in any pieces, nothing is gathered beyond the limit, and nothing but its own error',
  fuzzing((random) => {
    const stream = damaged(random, concat(...Array.from({ length: random.between(1, 6) }, () => randomFrame(random))))
    const whole = framesOf([stream])
    const pieces: Uint8Array[] = []
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + random.between(1, 20))
      pieces.push(stream.slice(at, end))
      at = end
    }
    expect(framesOf(pieces)).toEqual(whole)
  }),
)

function framesOf(pieces: readonly Uint8Array[]): readonly unknown[] {
  const reader = new FrameReader()
  const frames: unknown[] = []
  for (const piece of pieces) {
    reader.feed(piece)
    const outcome = outcomeOf(() => {
      while (reader.next()) {
        const { type, channel, bytes, at, end } = reader
        expect(end - at).toBeLessThanOrEqual(limits.frameBytesBeforeLogin)
        frames.push([type, channel, bytes.slice(at, end)])
      }
    })
    if (outcome !== undefined) return [...frames, outcome]
  }
  return frames
}

function randomFrame(random: FuzzRandom): Uint8Array {
  const output = new Output()
  output.begin(random.pick([1, 1, 2, 3, 8]), random.pick([0, 0, 1, 0xffff]))
  output.copy(random.bytes(random.pick([0, 1, 7, 30])))
  output.end()
  return frameBytes(output)
}

test(
  'methods: whatever comes is refused, or is written as what it was read as; the fast readers agree',
  fuzzing((random) => {
    const name = random.chance(0.3)
      ? random.pick(['basic.publish', 'basic.ack', 'basic.nack', 'basic.reject'] as const)
      : random.pick(methodNames)
    const output = new Output()
    writeMethod(output, 1, name, sample(random, anyArguments(name)) as never)
    const frame = frameBytes(output)
    const payload = damaged(random, frame.subarray(7, frame.length - 1))
    const end = random.chance(0.3) ? random.between(0, payload.length) : payload.length
    const method = outcomeOf(() => readMethod(payload, 0, end))
    expectFastReaders(payload.subarray(0, end), method)
    if ('refused' in method) return
    writeMethod(output, 1, method.name, method.args as never)
    const again = frameBytes(output)
    expect(readMethod(again, 7, again.length - 1)).toEqual(method)
  }),
)

function expectFastReaders(payload: Uint8Array, method: object): void {
  const code = methodCode(payload, 0, payload.length)
  if (code === BASIC_PUBLISH) {
    const publish = new PublishMethod()
    const outcome = outcomeOf(() => {
      publish.read(payload, 0, payload.length)
      const { exchange, routingKey, mandatory, immediate } = publish
      return { name: 'basic.publish', args: { exchange, routingKey, mandatory, immediate } }
    })
    expect(outcome).toEqual(method)
  } else if (code === BASIC_ACK || code === BASIC_NACK || code === BASIC_REJECT) {
    const settle = new SettleMethod()
    const outcome = outcomeOf(() => settle.read(code, payload, 0, payload.length))
    expect(isRefused(outcome)).toBe(isRefused(method))
    if (!isRefused(method)) expect(settle).toMatchObject((method as { readonly args: object }).args)
  }
}

test(
  'tables: refused, or written byte for byte as they were read; the check refuses what the decoder does, but for names',
  fuzzing((random) => {
    const bytes = damaged(random, encodeTable(sample(random, anyTable)))
    for (let end = 0; end <= bytes.length; end++) {
      const table = outcomeOf(() => decodeTable(bytes, 0, end))
      const check = outcomeOf(() => checkTable(bytes, 0, end))
      if ('refused' in table) expect(isRefused(check) || new TextDecoder().decode(bytes).includes('\u{fffd}')).toBe(true)
      else expect([check, encodeTable(table)]).toEqual([undefined, bytes.slice(0, end)])
    }
  }),
)

test(
  'tables of tables, arrays of nothing, lengths that lie: time and memory follow the bytes',
  fuzzing((random) => {
    let inner = random.bytes(random.between(0, 3))
    for (let depth = random.between(1, 200); depth > 0; depth--) {
      const length = random.chance(0.02) ? random.between(0, 0xffff_ffff) : inner.length
      const size = Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length)
      inner = concat(random.pick([encodeText('\u0000F'), encodeText('\u0001kA'), encodeText('A')]), size, inner)
    }
    const flat = concat(encodeText('\u0001nA'), Uint8Array.of(0, 0, 0x4e, 0x20), new Uint8Array(20_000).fill(86))
    for (const bytes of [inner, flat, concat(flat, inner)]) {
      const table = outcomeOf(() => decodeTable(bytes, 0, bytes.length))
      expect('refused' in table ? bytes : encodeTable(table)).toEqual(bytes)
    }
  }),
)

test(
  'properties: refused, or a record that the broker takes, and that AMQP reads',
  fuzzing((random) => {
    const values = sample(random, anyProperties)
    const bytes = damaged(random, encodeProperties(random.chance(0.5) ? { ...values, expiration: '1000' } : values))
    const messages = new MessagesIn()
    const form = outcomeOf(() => messages.read(bytes, 0, bytes.length, random.pick(['', 'x', 'v::x'])))
    expect(isRefused(outcomeOf(() => new Properties().read(bytes, 0, bytes.length)))).toBe(
      isRefused(form) && (form as { readonly refused: string }).refused === 'syntax-error' && !hasBadTable(bytes),
    )
    if ('refused' in form) return
    const builder = new RecordBatchBuilder()
    builder.appendEncoded(RECORD_MS, form.recordKey('key'), bytes, 0, bytes.length, form.headersAt(RECORD_MS))
    const batch = builder.finish()
    expect([batchProblem(batch), recordsProblem(batch)]).toEqual([undefined, undefined])
    const cursor = new RecordCursor(batch)
    cursor.next()
    const out = new MessagesOut()
    out.read(cursor, 'q')
    expect(Object.keys(valuesOf(out.properties)).toSorted()).toEqual(Object.keys(valuesOf(bytes)).toSorted())
  }),
)

/** Properties that are whole, but for what is inside the table. */
function hasBadTable(bytes: Uint8Array): boolean {
  const values = outcomeOf(() => valuesOf(bytes))
  if ('refused' in values || values.headers === undefined) return false
  const table = values.headers
  return isRefused(outcomeOf(() => checkTable(table, 0, table.length)))
}

test(
  'headers of any record: properties that AMQP reads',
  fuzzing((random) => {
    const names = [
      'exchange',
      'priority',
      'expires-at',
      'timestamp',
      'delivery-mode',
      'amqp-headers',
      'millrace-dead-history',
      'type',
      'own',
      '',
    ]
    const history = '[{"source":"queue:q","reason":"expired","count":1,"firstMs":1,"exchange":"","keys":["q"]}]'
    const headers = Array.from({ length: random.between(0, 6) }, () => ({
      key: random.pick(names),
      value: random.chance(0.1)
        ? null
        : damaged(random, random.pick([encodeText('5'), encodeText(history), encodeTable(sample(random, anyTable))])),
    }))
    const builder = new RecordBatchBuilder()
    const key = random.chance(0.5) ? null : random.bytes(random.pick([0, 5, 300]))
    builder.append(RECORD_MS, key, null, headers)
    const cursor = new RecordCursor(builder.finish())
    cursor.next()
    const out = new MessagesOut()
    out.read(cursor, 'q', random.chance(0.3) ? { deliveryCount: 1, streamOffset: 5 } : undefined)
    const { headers: table } = valuesOf(out.properties)
    if (table !== undefined) checkTable(table, 0, table.length)
    const keyAt = 1 + out.address[0]!
    expect(out.address.length).toBe(keyAt + 1 + out.address[keyAt]!)
  }),
)
