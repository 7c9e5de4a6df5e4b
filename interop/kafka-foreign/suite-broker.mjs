// The broker that the tests of clients themselves expect: `suite-broker.mjs DATA`, where cert.pem and key.pem are. Port 9092 is plain, 9093 and 9094 are
// as the first parameter after DATA says, `plain` or `tls`; whoever does not log in may do everything, and these users too:
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { startServer } from '../../packages/broker/dist/server/compose.js'
import { loadConfig } from '../../packages/broker/dist/server/config/load.js'

const users = [
  { name: 'adminplain', password: 'admin-secret' },
  { name: 'adminscram', scram: { 256: 'admin-secret-256', 512: 'admin-secret-512' } },
  { name: 'test', password: 'testtest' },
  { name: 'testscram', scram: { 256: 'testtestscram=256', 512: 'testtestscram=512' } },
  { name: 'bob', password: 'bobbob' },
  { name: 'alice', password: 'alicealice' },
  { name: 'anonymous' },
]
const ITERATIONS = 8192

const [data, second] = process.argv.slice(2)
const tls = second === 'tls' ? { cert: join(data, 'cert.pem'), key: join(data, 'key.pem') } : false
const other = (port) => ({ address: `127.0.0.1:${port}`, advertised: `localhost:${port}`, tls })
const config = await loadConfig({
  flags: {
    data: join(data, 'journal'),
    readyFile: join(data, 'ready.json'),
    logLevel: 'warn',
    listen: ['none', { kafka: '127.0.0.1:9092', 'kafka/second': other(9093), 'kafka/third': other(9094) }],
    limitsBatchBytesMax: '200MiB',
    kafkaAdvertised: 'localhost:9092',
  },
})
const server = await startServer(config)
for (const { name, password, scram } of users) {
  server.security.users.create({ name, rules: ['allow all **'], ...(password === undefined ? {} : { password }) })
  if (scram === undefined) continue
  const credentials = Object.entries(scram).map(([bits, secret]) => {
    const salt = randomBytes(16)
    const saltedPassword = pbkdf2Sync(secret, salt, ITERATIONS, Number(bits) / 8, `sha${bits}`)
    return { mechanism: `SCRAM-SHA-${bits}`, credential: { iterations: ITERATIONS, salt, saltedPassword } }
  })
  server.security.users.changeScram(name, credentials)
}
process.once('SIGTERM', () => void server.close())
