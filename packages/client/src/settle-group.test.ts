import { encodeBatch, FrameWriter, readFrame, RecordCursor } from '@millrace/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeldMessage, type Settler } from './received-message.ts'
import { SettleGroup } from './settle-group.ts'

function message(partition: number, offset: number, attempt = 1, turn = 0): HeldMessage {
  const cursor = new RecordCursor(encodeBatch([{ timestampMs: 1, value: null }]))
  cursor.next()
  return new HeldMessage(partition, offset, cursor, attempt, 0, turn, { settle: () => {} } as unknown as Settler)
}

function rangesOf(group: SettleGroup): readonly { partition: number; first: number; last: number; attempt: number }[] {
  const writer = new FrameWriter()
  group.write(writer)
  const bytes = Buffer.concat(writer.take())
  const frame = readFrame(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 4, bytes.length)
  if (frame.name !== 'settle') throw new Error(`a ${frame.name} frame was written`)
  return frame.ranges
}

describe('a settle group', () => {
  it('joins what was delivered together, and nothing else', () => {
    const group = new SettleGroup(1, 'ack', undefined)
    for (const offset of [1, 2, 3, 5, 6]) group.add(message(0, offset), undefined)
    group.add(message(0, 7, 2), undefined)
    group.add(message(0, 8, 2, 1), undefined)
    group.add(message(1, 9, 2, 1), undefined)
    expect(rangesOf(group)).toEqual([
      { partition: 0, first: 1, last: 3, attempt: 1 },
      { partition: 0, first: 5, last: 6, attempt: 1 },
      { partition: 0, first: 7, last: 7, attempt: 2 },
      { partition: 0, first: 8, last: 8, attempt: 2 },
      { partition: 1, first: 9, last: 9, attempt: 2 },
    ])
    expect(group.inRanges(message(0, 6), [1])).toBe(true)
    expect(group.inRanges(message(0, 7, 2), [0, 1])).toBe(false)
  })

  it('covers each message exactly once, in any order', () => {
    const messages = fc.uniqueArray(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 30 })), {
      selector: ([p, o]) => `${p}/${o}`,
      maxLength: 60,
    })
    fc.assert(
      fc.property(messages, (list) => {
        const group = new SettleGroup(1, 'ack', undefined)
        for (const [partition, offset] of list) group.add(message(partition, offset), undefined)
        const ranges = rangesOf(group)
        const covered = ranges.flatMap(({ partition, first, last }) =>
          Array.from({ length: last - first + 1 }, (_, n) => `${partition}/${first + n}`),
        )
        expect(covered.toSorted()).toEqual(list.map(([partition, offset]) => `${partition}/${offset}`).toSorted())
      }),
    )
  })
})
