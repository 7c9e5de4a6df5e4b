// The broker that the tests of clients themselves expect: `suite-broker.mjs DATA`, where cert.pem and key.pem are. AMQP is on port 5672 of both loopback
// addresses and, with TLS, on 5671; RabbitMQ's management API on 15672; and `guest`, whose password is `guest`, may do everything.
import { join } from 'node:path'
import { startServer } from '../../packages/broker/dist/server/compose.js'
import { loadConfig } from '../../packages/broker/dist/server/config/load.js'

const [data] = process.argv.slice(2)
const config = await loadConfig({
  flags: {
    data: join(data, 'journal'),
    readyFile: join(data, 'ready.json'),
    logLevel: 'warn',
    // pika publishes 15 MiB at once.
    limitsBatchBytesMax: '32MiB',
    listen: ['none', 'amqp=127.0.0.1:5672', 'http=127.0.0.1:15672'],
  },
})
const amqp = config.listen.find(({ door }) => door === 'amqp')
const tls = { cert: join(data, 'cert.pem'), key: join(data, 'key.pem'), ca: null, clientCertificates: 'optional' }
const listen = [...config.listen, { ...amqp, host: '::1' }, { ...amqp, port: 5671, tls }]
const server = await startServer({ ...config, listen })
server.security.users.create({ name: 'guest', password: 'guest', rules: ['allow all **'] })
process.once('SIGTERM', () => void server.close())
