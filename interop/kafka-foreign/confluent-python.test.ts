import { afterEach, beforeEach, expect, test } from 'vitest'
import { Foreign } from './programs.ts'

let foreign: Foreign

beforeEach(async () => {
  foreign = await Foreign.start()
})

afterEach(async () => foreign.stop())

async function python(name: string): Promise<unknown> {
  return foreign.python('librdkafka.py', name)
}

test('an idempotent producer with all codecs', async () => {
  expect(await python('idempotent_producer')).toEqual({ failures: [], values: 5000, headers: true })
})

test('groups of both protocols by a pattern, with all assignors', async () => {
  expect(await python('groups')).toEqual({
    'classic-range': 100,
    'classic-cooperative-sticky': 100,
    consumer: 100,
    'consumer-range': 100,
  })
})

test('transactions', async () => {
  expect(await python('transactions')).toEqual({ values: ['kept', 'kept too'], fenced: '_FENCED' })
})

test('administration of topics', async () => {
  expect(await python('topics')).toEqual({
    again: 'TOPIC_ALREADY_EXISTS',
    partitions: 5,
    retention: '5000000',
    broker: '1',
    low: 1,
    start: 1,
    newest: true,
    elected: ['ELECTION_NOT_NEEDED'],
    left: false,
    controller: 1,
  })
})

test('administration of groups', async () => {
  expect(await python('group_administration')).toEqual({
    state: 'STABLE',
    members: [1],
    refused: 'NON_EMPTY_GROUP',
    listed: ['administered'],
    offsets: [4],
    missing: 'GROUP_ID_NOT_FOUND',
  })
})
