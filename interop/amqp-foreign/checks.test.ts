import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BrokerProcess, repository } from '../../bench/src/broker-process.ts'
import { output } from '../foreign-program.ts'
import { javaChecks, javaCommand, pikaChecks, pikaCommand } from './checks.mjs'

let broker: BrokerProcess
let port: number

beforeEach(async () => {
  broker = await BrokerProcess.start({ arguments: ['--listen=amqp=127.0.0.1:0'] })
  port = broker.port('amqp')
})

afterEach(async () => broker.stop())

describe('what RabbitMQ showed to a client is what it is shown here', () => {
  test.each(javaChecks)('the client for Java: %s', async (check) => {
    expect(await output(...javaCommand(port, check))).toBe(recorded(`java-${check}`))
  })

  test.each(pikaChecks)('pika: %s', async (check) => {
    expect(await output(...pikaCommand(port, check))).toBe(recorded(`pika-${check}`))
  })
})

function recorded(name: string): string {
  return readFileSync(join(repository, 'interop/amqp-foreign/recorded', `${name}.txt`), 'utf8')
}
