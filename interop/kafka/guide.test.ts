import * as platformatic from '@platformatic/kafka'
import * as kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runSnippet, snippetsOf } from '../../docs/snippets.ts'
import { KafkaServer } from './kafka-server.ts'

const modules = { kafkajs: { Kafka: kafkajs.Kafka }, '@platformatic/kafka': platformatic }

let server: KafkaServer

beforeAll(async () => {
  server = await KafkaServer.start()
})

afterAll(() => server.stop())

describe('the guide', () => {
  for (const [n, { title, code, prints }] of snippetsOf('kafka.md').entries()) {
    test(`${title}: snippet ${n}`, async () => {
      const here = code.replaceAll('127.0.0.1:9092', server.brokers[0]!)
      expect(await runSnippet(here, modules, {})).toEqual(prints)
    })
  }
})
