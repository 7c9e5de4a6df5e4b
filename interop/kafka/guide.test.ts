import * as platformatic from '@platformatic/kafka'
import * as kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runSnippet, snippetsOf } from '../../docs/snippets.ts'
import { KafkaServer } from './kafka-server.ts'

const modules = { kafkajs: { Kafka: kafkajs.Kafka }, '@platformatic/kafka': platformatic }

const password = 'of ops'

let server: KafkaServer
let secured: KafkaServer

beforeAll(async () => {
  server = await KafkaServer.start()
  secured = await KafkaServer.start({}, [{ name: 'ops', password, rules: ['allow all **'] }])
})

afterAll(async () => {
  await server.stop()
  await secured.stop()
})

describe('the guide', () => {
  for (const [n, { title, code, prints }] of snippetsOf('kafka.md').entries()) {
    test(`${title}: snippet ${n}`, async () => {
      const here = code
        .replaceAll('127.0.0.1:9092', server.brokers[0]!)
        .replaceAll('broker.example.com:9092', secured.brokers[0]!)
      expect(await runSnippet(here, modules, { password })).toEqual(prints)
    })
  }
})
