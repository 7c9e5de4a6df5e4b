import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, DeliverySink, ReadOptions } from '../../core/broker.ts'
import { nodePlatform } from '../node-platform.ts'
import { Tail, type TailOptions } from './tail.ts'

/** A topic that never ends: hands out as many messages as credit allows, one per batch. */
class EndlessTopic {
  readonly readers: { sink: DeliverySink; next: number; delivered: number; closed: boolean; options: ReadOptions }[] = []
  readonly broker: Broker
  ended = false

  constructor(partitions: number) {
    this.broker = {
      partitions: () => Array.from({ length: partitions }, (_, n) => n),
      read: (_source: string, options: ReadOptions, sink: DeliverySink) => {
        if (options.partition! >= partitions) throw new MillraceError('bad_request', 'there is no such partition')
        const from = typeof options.from === 'object' && 'offset' in options.from ? options.from.offset : 0
        const reader = { sink, next: from, delivered: 0, closed: false, options }
        this.readers.push(reader)
        return {
          atEnd: false,
          close: () => (reader.closed = true),
          grant: (messages: number) => {
            for (let n = 0; n < messages && !this.ended; n++) {
              const batch = encodeBatch([{ timestampMs: 1, value: Buffer.from(String(reader.next)) }])
              sink.deliver({
                partition: options.partition!,
                baseOffset: reader.next,
                first: reader.next,
                last: reader.next,
                attempt: 0,
                batch,
              })
              reader.next++
              reader.delivered++
            }
          },
        }
      },
    } as unknown as Broker
  }
}

function open(topic: EndlessTopic, options: Partial<TailOptions> = {}): { tail: Tail; closed: () => boolean } {
  let closed = false
  const defaults = {
    source: 'topic:t',
    partition: undefined,
    from: 'earliest',
    filter: undefined,
    lastEventId: undefined,
    authorize: () => undefined,
  } as const
  const all: TailOptions = { ...defaults, ...options }
  return { tail: new Tail(topic.broker, nodePlatform(), all, () => (closed = true)), closed: () => closed }
}

async function turns(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
}

test('a client that does not read stops the readers', async () => {
  const topic = new EndlessTopic(2)
  const { tail } = open(topic)
  const reader = tail.stream().getReader()
  await turns()
  const delivered = (): number => topic.readers.reduce((sum, { delivered: count }) => sum + count, 0)
  const before = delivered()
  await turns()
  expect(delivered()).toBe(before)

  // Whoever reads makes them go on.
  for (let n = 0; n < 10; n++) await reader.read()
  await turns()
  const after = delivered()
  expect(after).toBeGreaterThan(before)
  await turns()
  expect(delivered()).toBe(after)
  await reader.cancel()
})

test('a client that leaves closes the readers', async () => {
  const topic = new EndlessTopic(3)
  const { tail, closed } = open(topic)
  const reader = tail.stream().getReader()
  await reader.read()
  await reader.cancel()
  expect(topic.readers.map((entry) => entry.closed)).toEqual([true, true, true])
  expect(closed()).toBe(true)
})

test('resumes each partition behind what the client saw, and begins the others where it is told', () => {
  const topic = new EndlessTopic(3)
  const { tail } = open(topic, { from: 'latest', lastEventId: '0:7,2:11' })
  expect(topic.readers.map(({ options }) => options.from)).toEqual([{ offset: 7 }, 'latest', { offset: 11 }])
  tail.close()
})

test('ends with the reason when the topic goes away', async () => {
  const topic = new EndlessTopic(1)
  const { tail, closed } = open(topic, { partition: 0 })
  topic.ended = true
  topic.readers[0]!.sink.closed(new MillraceError('not_found', 'deleted'))
  const text = await new Response(tail.stream()).text()
  // What was delivered before is sent before.
  expect(text).toMatch(/id: 0:1\ndata: .*\n\n/)
  expect(text.endsWith('event: end\ndata: {"code":"not_found","detail":"deleted"}\n\n')).toBe(true)
  expect(closed()).toBe(true)
})

test('refuses partitions and ids that do not exist', () => {
  expect(() => open(new EndlessTopic(2), { partition: 2 })).toThrow(expect.objectContaining({ code: 'bad_request' }))
  expect(() => open(new EndlessTopic(2), { lastEventId: '7' })).toThrow(expect.objectContaining({ code: 'bad_request' }))
})
