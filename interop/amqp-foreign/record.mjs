// `npm run record -w interop/amqp-foreign`: writes down in recorded/ what the checks see of RabbitMQ. Needs Debian's rabbitmq-server.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dataDirectory, rabbitMq } from '../../bench/dist/peers/amqp-peer.js'
import { javaChecks, javaCommand, pikaChecks, pikaCommand } from './checks.mjs'

const recorded = fileURLToPath(new URL('recorded/', import.meta.url))
const directory = dataDirectory()
const broker = await rabbitMq.start(directory.path)
const write = (name, [command, parameters]) => writeFileSync(`${recorded}${name}.txt`, execFileSync(command, parameters))
try {
  mkdirSync(recorded, { recursive: true })
  for (const check of javaChecks) write(`java-${check}`, javaCommand(broker.port, check))
  for (const check of pikaChecks) write(`pika-${check}`, pikaCommand(broker.port, check))
} finally {
  await broker.stop()
  directory.remove()
}
