// `npm run record:management -w interop/amqp-foreign`: writes down in recorded/management what RabbitMQ's management API answers. Needs Debian's rabbitmq-server.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dataDirectory } from '../../bench/dist/peers/amqp-peer.js'
import { observeManagement } from './management.mjs'

const recorded = fileURLToPath(new URL('recorded/management/', import.meta.url))
const directory = dataDirectory()
const [port, nodePort, managementPort] = [await freePort(), await freePort(), await freePort()]
const start = fileURLToPath(new URL('../../bench/peers/rabbitmq/start.sh', import.meta.url))
writeFileSync(join(directory.path, 'enabled_plugins'), '[rabbitmq_management].\n')
const more = `management.tcp.port = ${managementPort}\nmanagement.tcp.ip = 127.0.0.1\ncollect_statistics_interval = 500\n`
const broker = spawn(start, [directory.path, String(port), String(nodePort)], {
  stdio: 'ignore',
  env: { ...process.env, MORE_CONFIGURATION: more },
})
const base = `http://127.0.0.1:${managementPort}`
try {
  await untilReady()
  const answers = await observeManagement(base, port)
  mkdirSync(recorded, { recursive: true })
  for (const [name, { status, body }] of Object.entries(answers))
    writeFileSync(join(recorded, `${name}.json`), trimmed(JSON.stringify({ status, body }, undefined, 1)))
} finally {
  const closed = once(broker, 'close')
  process.kill(Number(readFileSync(join(directory.path, 'pid'), 'utf8')), 'SIGTERM')
  await closed
  directory.remove()
}

/** Without what is of this machine. */
function trimmed(text) {
  return `${text.replaceAll(directory.path, '/data').replaceAll(`@${hostname()}`, '@host')}\n`
}

async function untilReady() {
  for (;;) {
    try {
      await fetch(base)
      return
    } catch (error) {
      if (broker.exitCode !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: free } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return free
}
