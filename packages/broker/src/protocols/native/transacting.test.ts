import { type Frame, type JsonObject, FrameReader, FrameWriter, readFrame } from '@millrace/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import { batch } from '../../../test/native/fakes.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Consumer, TransactionAction } from '../../core/broker.ts'
import { limits } from './limits.ts'
import { Transacting } from './transacting.ts'

let writer: FrameWriter
let transacting: Transacting
let ticket: number
let applied: (readonly TransactionAction[])[]
let authorized: string[]

const consumer = {} as Consumer

beforeEach(() => {
  writer = new FrameWriter()
  ticket = 5
  applied = []
  authorized = []
  const broker = {
    ticket: () => ticket,
    destination(name: string, create: boolean) {
      if (name === 'queue:missing' && !create) throw new MillraceError('not_found', 'not there')
      return create ? { name } : { name, create }
    },
    scheduled: (id: number) => (id === 70 ? 'queue:later' : id === 71 ? 'queue:secret' : undefined),
    transact(actions: readonly TransactionAction[]) {
      applied.push(actions)
      return actions.map((action, n) =>
        action.kind === 'settle' || action.kind === 'cancel' ? [] : [{ partition: 1, baseOffset: 10 + n }],
      )
    },
  }
  transacting = new Transacting(broker as unknown as Broker, writer, (number) => {
    if (number === 3) return consumer
    throw new MillraceError('stale_delivery', `no ${number}`)
  })
})

function authorize(destination: string): void {
  if (destination === 'queue:secret') throw new MillraceError('forbidden', 'not yours')
  authorized.push(destination)
}

function transact(number: number, request: JsonObject, batches: Uint8Array = new Uint8Array(0)): Frame[] {
  transacting.transact(number, request, batches, { authorize })
  return written()
}

function written(): Frame[] {
  const reader = new FrameReader(1 << 20)
  const frames: Frame[] = []
  for (const chunk of writer.take()) {
    reader.feed(chunk)
    while (reader.next()) frames.push(readFrame(reader.bytes, reader.view, reader.start, reader.end))
  }
  return frames
}

describe('transact', () => {
  it('turns a frame into actions, in order', () => {
    const [one, two] = [batch('one'), batch('two', 'three')]
    const request = {
      publishes: [
        { to: ['queue:a'], partition: 0, bytes: one.length },
        { to: ['queue:a', 'topic:b'], bytes: two.length },
      ],
      settles: [
        { consumer: 3, outcome: 'ack', ranges: [0, 1, 5, 2, 1, 7, 7, 0] },
        { consumer: 3, outcome: 'nack', ranges: [0, 9, 9, 1], nack: { delayMs: 5 } },
        { consumer: 3, outcome: 'reject', ranges: [0, 10, 10, 1], reject: { reason: 'bad' } },
      ],
      cancels: [70, 99],
    }
    expect(transact(0, request, Buffer.concat([one, two]))).toEqual([])
    expect(authorized).toEqual(['queue:a', 'queue:a', 'topic:b', 'queue:later'])
    const [actions] = applied
    expect(actions).toEqual([
      { kind: 'publish', to: { name: 'queue:a' }, partition: 0, batch: expect.anything() as unknown },
      { kind: 'multicast', to: [{ name: 'queue:a' }, { name: 'topic:b' }], batch: expect.anything() as unknown },
      { kind: 'settle', consumer, partition: 0, first: 1, last: 5, attempt: 2, outcome: { kind: 'ack' } },
      { kind: 'settle', consumer, partition: 1, first: 7, last: 7, outcome: { kind: 'ack' } },
      { kind: 'settle', consumer, partition: 0, first: 9, last: 9, attempt: 1, outcome: { kind: 'nack', delayMs: 5 } },
      { kind: 'settle', consumer, partition: 0, first: 10, last: 10, attempt: 1, outcome: { kind: 'reject', reason: 'bad' } },
      { kind: 'cancel', id: 70 },
      { kind: 'cancel', id: 99 },
    ])
    const batches = actions!.flatMap((action) => (!('batch' in action) ? [] : [Buffer.from(action.batch)]))
    expect(batches).toEqual([Buffer.from(one), Buffer.from(two)])
  })

  it('creates destinations unless told otherwise, and leaves out what is optional and has none', () => {
    const [one, two, three] = [batch('one'), batch('two'), batch('three')]
    const publishes = [
      { to: ['queue:missing'], optional: true, bytes: one.length },
      { to: ['queue:missing'], bytes: two.length },
      { to: ['queue:a'], create: false, bytes: three.length },
    ]
    transact(7, { publishes }, Buffer.concat([one, two, three]))
    expect(applied[0]!.map((action) => ('to' in action ? action.to : undefined))).toEqual([
      [{ name: 'queue:missing' }],
      [{ name: 'queue:a', create: false }],
    ])
    transacting.confirm(5)
    expect(written()).toEqual([{ name: 'transacted', transaction: 7, result: { places: [[], [[1, 10]], [[1, 11]]] } }])
  })

  it('answers after the commit, in order', () => {
    const bytes = batch('x')
    const request = { publishes: [{ to: ['queue:a'], bytes: bytes.length }] }
    transact(7, request, bytes)
    ticket = 6
    transact(8, request, bytes)
    transacting.confirm(4)
    expect(written()).toEqual([])
    expect(transacting.waiting).toBe(true)
    transacting.confirm(5)
    const result = { places: [[[1, 10]]] }
    expect(written()).toEqual([{ name: 'transacted', transaction: 7, result }])
    transacting.confirm(6)
    expect(written()).toEqual([{ name: 'transacted', transaction: 8, result }])
    expect(transacting.waiting).toBe(false)
  })

  it.each([
    ['a consumer that is gone', { settles: [{ consumer: 4, outcome: 'ack', ranges: [0, 1, 1, 1] }] }, 'stale_delivery'],
    ['a range that is cut', { settles: [{ consumer: 3, outcome: 'ack', ranges: [0, 1, 1] }] }, 'bad_request'],
    ['a range that goes backwards', { settles: [{ consumer: 3, outcome: 'ack', ranges: [0, 2, 1, 1] }] }, 'bad_request'],
    ['an unknown outcome', { settles: [{ consumer: 3, outcome: 'eat', ranges: [] }] }, 'bad_request'],
    ['bytes that are not there', { publishes: [{ to: ['queue:a'], bytes: 1 }] }, 'bad_request'],
    ['a partition of several', { publishes: [{ to: ['queue:a', 'queue:b'], partition: 0, bytes: 0 }] }, 'bad_request'],
    ['a destination that is not there', { publishes: [{ to: ['queue:missing'], create: false, bytes: 0 }] }, 'not_found'],
    ['several optional destinations', { publishes: [{ to: ['queue:a', 'queue:b'], optional: true, bytes: 0 }] }, 'bad_request'],
    [
      'an optional destination that is not allowed',
      { publishes: [{ to: ['queue:secret'], optional: true, bytes: 0 }] },
      'forbidden',
    ],
    ['a destination that is not allowed', { publishes: [{ to: ['queue:a', 'queue:secret'], bytes: 0 }] }, 'forbidden'],
    ['what is scheduled for a destination that is not allowed', { cancels: [71] }, 'forbidden'],
    ['an unknown property', { commit: true }, 'bad_request'],
  ])('refuses %s, and does nothing', (_, request, code) => {
    expect(transact(1, request as JsonObject)).toMatchObject([{ name: 'transactFailed', transaction: 1, reason: { code } }])
    expect(applied).toEqual([])
    expect(transacting.waiting).toBe(false)
  })

  it('takes a bounded number at a time', () => {
    for (let n = 0; n < limits.transactionsMax; n++) expect(transact(n, {})).toEqual([])
    expect(transact(999, {})).toMatchObject([{ name: 'transactFailed', transaction: 999, reason: { code: 'overloaded' } }])
    transacting.confirm(5)
    expect(written()).toHaveLength(limits.transactionsMax)
    expect(transact(999, {})).toEqual([])
  })
})
