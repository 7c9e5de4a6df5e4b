import {
  batchBaseSequence,
  batchProblem,
  batchProducerEpoch,
  batchProducerId,
  type JsonObject,
  RecordBatchBuilder,
} from '@millrace/wire'
import { expect, test } from 'vitest'
import { MillraceError } from './errors.ts'
import { IdempotentProducer } from './idempotent-producer.ts'
import type { Link } from './link.ts'
import type { PublishChannel } from './publish-channel.ts'
import type { SentBatch } from './sent-batch.ts'

/** A producer between a publisher and a link that only notes what they are told. */
class Bench {
  readonly sent: SentBatch[] = []
  readonly failures: string[] = []
  readonly calls: { readonly params: JsonObject; readonly repeatable: boolean }[] = []
  answers: (JsonObject | MillraceError)[] = []
  closed = false
  readonly producer: IdempotentProducer

  constructor(name?: string) {
    const isClosed = (): boolean => this.closed
    const link = {
      get closed() {
        return isClosed()
      },
      platform: { random: () => 0.5 },
      crc32c: undefined,
      send: (batch: SentBatch) => void this.sent.push(batch),
      call: (_method: string, params: JsonObject, repeatable: boolean) => {
        this.calls.push({ params, repeatable })
        const answer = this.answers.shift()!
        return answer instanceof MillraceError ? Promise.reject(answer) : Promise.resolve(answer)
      },
    }
    const publisher = {
      destination: 'queue:q',
      failed: (batches: readonly SentBatch[], error: MillraceError) =>
        void this.failures.push(...batches.map((batch) => `${batch.weight} ${error.code}`)),
    }
    this.producer = new IdempotentProducer(link as unknown as Link, publisher, name)
  }

  /** @param tag tells batches apart */
  publish(tag: number, messages = 1, partition = 0): SentBatch {
    const builder = new RecordBatchBuilder()
    for (let n = 0; n < messages; n++) builder.append(0, null, Uint8Array.of(tag))
    const sequence = this.producer.stamp(builder, partition)
    const publisher = undefined as unknown as PublishChannel
    const bytes = builder.finish().slice()
    const batch: SentBatch = { publisher, partition, bytes, messages, weight: tag, dueMs: 0, waiters: undefined, sequence }
    this.producer.send(batch)
    return batch
  }

  refuse(batch: SentBatch, code: string): boolean {
    return this.producer.refused(batch, new MillraceError(code, 'no'))
  }

  /** What was sent since the last call: tag, epoch and sequence. */
  taken(): string[] {
    const taken = this.sent.splice(0)
    return taken.map(
      ({ bytes, weight }) => batchProblem(bytes) ?? `${weight}: ${batchProducerEpoch(bytes)}/${batchBaseSequence(bytes)}`,
    )
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

test('numbers messages by partition, under an odd id', () => {
  const bench = new Bench()
  bench.publish(1, 3)
  bench.publish(2, 1, 1)
  bench.publish(3, 2)
  bench.publish(4, 1, 1)
  expect(batchProducerId(bench.sent[0]!.bytes) % 2).toBe(1)
  expect(bench.taken()).toEqual(['1: 0/0', '2: 0/0', '3: 0/3', '4: 0/1'])
})

test('a batch that is refused as the last of its partition leaves no gap', () => {
  const bench = new Bench()
  bench.publish(1)
  const last = bench.publish(2, 5)
  expect(bench.refuse(last, 'overloaded')).toBe(false)
  bench.publish(3)
  expect(bench.taken()).toEqual(['1: 0/0', '2: 0/1', '3: 0/1'])
})

test('a sequence is not used again while it is not known whether it was stored', () => {
  const bench = new Bench()
  expect(bench.refuse(bench.publish(1), 'outcome_unknown')).toBe(false)
  bench.publish(2)
  expect(bench.taken()).toEqual(['1: 0/0', '2: 1/0'])
})

test('what was refused for a gap goes again, before what came since, once everything has its outcome', () => {
  const bench = new Bench()
  const [first, second, third, other, fourth] = [1, 2, 3, 4, 5].map((tag) => bench.publish(tag, 1, tag === 4 ? 1 : 0))
  bench.taken()
  bench.producer.confirmed()
  expect(first!.sequence).toBe(0)
  expect(bench.refuse(second!, 'record_too_large')).toBe(false)
  bench.publish(6)
  expect(bench.refuse(third!, 'out_of_order_sequence')).toBe(true)
  expect(other!.sequence).toBe(0)
  bench.producer.confirmed()
  bench.publish(7, 1, 1)
  expect(bench.taken()).toEqual([])
  expect(bench.refuse(fourth!, 'out_of_order_sequence')).toBe(true)
  expect(bench.taken()).toEqual(['3: 1/0', '5: 1/1', '6: 1/2', '7: 1/0'])
  bench.publish(8)
  expect(bench.taken()).toEqual(['8: 1/3'])
})

test('a named one waits for its identity, and tells when there is none', async () => {
  const bench = new Bench('writer')
  bench.answers = [new MillraceError('forbidden', 'no'), { producerId: 8, epoch: 3 }]
  bench.publish(1)
  bench.publish(2)
  await settled()
  expect(bench.failures).toEqual(['1 forbidden', '2 forbidden'])
  bench.publish(3, 2)
  bench.publish(4)
  expect(bench.sent).toEqual([])
  await settled()
  bench.publish(5)
  expect(bench.sent.map(({ bytes }) => batchProducerId(bytes))).toEqual([8, 8, 8])
  expect(bench.taken()).toEqual(['3: 3/0', '4: 3/2', '5: 3/3'])
  expect(bench.calls.at(-1)).toEqual({ params: { destination: 'queue:q', name: 'writer' }, repeatable: true })
})

test('a named one goes on only while nobody else has its name', async () => {
  const bench = new Bench('writer')
  const current = { producerId: 8, epoch: 3 }
  bench.answers = [current, { producerId: 8, epoch: 4 }, new MillraceError('fenced', 'no')]
  bench.publish(1)
  await settled()
  const second = bench.publish(2)
  bench.taken()
  bench.refuse(bench.publish(0), 'fenced')
  bench.producer.confirmed()
  expect(bench.refuse(second, 'out_of_order_sequence')).toBe(true)
  await settled()
  expect(bench.calls.at(-1)).toEqual({ params: { destination: 'queue:q', name: 'writer', current }, repeatable: false })
  expect(bench.taken().at(-1)).toBe('2: 4/0')
  expect(bench.refuse(second, 'out_of_order_sequence')).toBe(true)
  await settled()
  expect(bench.failures).toEqual(['2 fenced'])
  bench.publish(3)
  expect(bench.failures).toEqual(['2 fenced', '3 fenced'])
})

test('gives back what waits when the client closes', () => {
  const bench = new Bench()
  const [first, second] = [bench.publish(1), bench.publish(2)]
  bench.refuse(first, 'bad_batch')
  const third = bench.publish(3)
  bench.taken()
  bench.closed = true
  expect(bench.refuse(second, 'outcome_unknown')).toBe(false)
  expect(bench.sent).toEqual([])
  expect(bench.producer.takeHeld()).toEqual([third])
})
