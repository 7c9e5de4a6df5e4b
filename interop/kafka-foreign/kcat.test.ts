import { afterAll, beforeAll, expect, test } from 'vitest'
import { Foreign } from './programs.ts'

let foreign: Foreign

beforeAll(async () => {
  foreign = await Foreign.start()
})

afterAll(async () => foreign.stop())

test('lists the broker and its topics', async () => {
  await foreign.kcat(['-P', '-t', 'listed'], 'a\n')
  const listed = JSON.parse(await foreign.kcat(['-L', '-J'])) as { brokers: unknown[]; topics: unknown[] }
  expect(listed.brokers).toEqual([{ id: 1, name: foreign.address }])
  expect(listed.topics).toContainEqual({
    topic: 'listed',
    partitions: [{ partition: 0, leader: 1, replicas: [{ id: 1 }], isrs: [{ id: 1 }] }],
  })
})

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
  'produces and consumes with codec %s, as HTTP sees it too',
  async (codec) => {
    const topic = `codec-${codec}`
    const long = 'the same again, '.repeat(500)
    const input = `key-1:one\nkey-2:${long}\nkey-3:three\n`
    await foreign.kcat(['-P', '-t', topic, '-K:', '-z', codec, '-H', 'origin=kcat', '-H', 'empty'], input)
    expect(await foreign.records(topic, '%k %h %s')).toEqual([
      'key-1 origin=kcat,empty=NULL one',
      `key-2 origin=kcat,empty=NULL ${long}`,
      'key-3 origin=kcat,empty=NULL three',
    ])
    const response = await fetch(`${foreign.broker.httpUrl}/v1/topics/${topic}/messages?from=earliest`)
    const { messages } = (await response.json()) as { messages: { body: string }[] }
    expect(messages.map(({ body }) => body)).toEqual(['one', long, 'three'])
  },
)

test('reads from offsets and times', async () => {
  await foreign.kcat(['-P', '-t', 'offsets'], '0\n1\n2\n3\n')
  expect(await foreign.records('offsets', '%s', '-o', '2')).toEqual(['2', '3'])
  expect(await foreign.records('offsets', '%s', '-o', '-1')).toEqual(['3'])
  expect(await foreign.records('offsets', '%s', '-o', 's@1')).toEqual(['0', '1', '2', '3'])
  expect(await foreign.kcat(['-Q', '-t', 'offsets:0:-1'])).toBe('offsets [0] offset 4\n')
  expect(await foreign.kcat(['-Q', '-t', 'offsets:0:-2'])).toBe('offsets [0] offset 0\n')
})

test('a group goes on where it was', async () => {
  const group = ['-G', 'readers', '-q', '-X', 'auto.offset.reset=earliest', '-f', '%s\n']
  await foreign.kcat(['-P', '-t', 'grouped'], '1\n2\n3\n')
  expect(await foreign.kcat([...group, '-c', '2', 'grouped'])).toBe('1\n2\n')
  await foreign.kcat(['-P', '-t', 'grouped'], '4\n')
  expect(await foreign.kcat([...group, '-c', '2', 'grouped'])).toBe('3\n4\n')
})

test('idempotent and transactional producers', async () => {
  await foreign.kcat(['-P', '-t', 'certain', '-X', 'enable.idempotence=true'], '1\n2\n')
  await foreign.kcat(['-P', '-t', 'certain', '-X', 'transactional.id=kcat'], '3\n4\n')
  expect(await foreign.records('certain', '%s', '-X', 'isolation.level=read_committed')).toEqual(['1', '2', '3', '4'])
})
