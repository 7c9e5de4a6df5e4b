import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BrokerProcess, repository } from '../../bench/src/broker-process.ts'
import { missingFrom } from './json-shape.mjs'
import { leftOut, leftOutOf } from './left-out-keys.mjs'
import { asked, type ManagementAnswer, observeManagement } from './management.mjs'

const names = Object.keys(asked)
const everywhere = new Set(Object.values(leftOut).flat())
let broker: BrokerProcess
let answers: Readonly<Record<string, ManagementAnswer>>

beforeAll(async () => {
  broker = await BrokerProcess.start({ arguments: ['--listen=amqp=127.0.0.1:0', '--listen=management=127.0.0.1:0'] })
  answers = await observeManagement(`http://${broker.address('management')}`, broker.port('amqp'))
})
afterAll(async () => broker.stop())

test.each(names)('what is answered for %s has the keys and types of RabbitMQ', (name) => {
  const recorded = recordedAnswer(name)
  const answer = answers[name]!
  expect(answer.status).toBe(recorded.status)
  expect(missingFrom(answer.body, recorded.body).filter((path) => !isLeftOut(name, path))).toEqual([])
})

test('nothing is listed as left out that is there', () => {
  const missing = new Map(names.map((name) => [name, missingFrom(answers[name]!.body, recordedAnswer(name).body)]))
  const keys = new Set([...missing.values()].flat().map(keyOf))
  expect([...everywhere].filter((key) => !keys.has(key))).toEqual([])
  const stale = Object.entries(leftOutOf).flatMap(([name, paths]) => paths.filter((path) => !missing.get(name)?.includes(path)))
  expect(stale).toEqual([])
})

function isLeftOut(name: string, path: string): boolean {
  return everywhere.has(keyOf(path)) || leftOutOf[name]?.includes(path) === true
}

/** The last field of a path. */
function keyOf(path: string): string {
  return path.replaceAll('[]', '').split('.').at(-1)!
}

function recordedAnswer(name: string): ManagementAnswer {
  return JSON.parse(
    readFileSync(join(repository, 'interop/amqp-foreign/recorded/management', `${name}.json`), 'utf8'),
  ) as ManagementAnswer
}
