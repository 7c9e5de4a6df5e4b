import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { json } from '../../http/problem.ts'
import { badRequest } from '../failures.ts'
import { get, type ManagementRoute } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { listenersOf } from './overview.ts'

const DAY_MS = 86_400_000
const unitsMs: Readonly<Record<string, number>> = {
  days: DAY_MS,
  weeks: 7 * DAY_MS,
  months: 30 * DAY_MS,
  years: 365 * DAY_MS,
}

/** For load balancers and monitors: 200 with `ok`, or 503 with `failed` and why. */
export const healthRoutes: readonly ManagementRoute[] = [
  get('/api/health/checks/alarms', (_call, services) => alarms(services)),
  get('/api/health/checks/local-alarms', (_call, services) => alarms(services)),
  get('/api/health/checks/ready-to-serve-clients', (_call, { health }) => {
    const { journal, serving } = health.checks()
    const reason = journal ?? serving
    return reason === undefined ? ok() : failed(reason)
  }),
  // All virtual hosts are in the one journal.
  get('/api/health/checks/virtual-hosts', (_call, { health }) => {
    const { journal } = health.checks()
    return journal === undefined ? ok() : failed(journal)
  }),
  get('/api/health/checks/node-is-quorum-critical', () => ok({ reason: 'single node cluster' })),
  get('/api/health/checks/node-is-mirror-sync-critical', () => ok({ reason: 'single node cluster' })),
  get('/api/health/checks/port-listener/{port}', ({ param }, services) => {
    const port = Number(param('port'))
    const ports = listenersOf(services).map((listener) => listener.port)
    if (ports.includes(port)) return ok({ port })
    return failed('No active listener', { missing: port, ports })
  }),
  get('/api/health/checks/protocol-listener/{protocol}', ({ param }, services) => {
    const protocol = aliases[param('protocol')] ?? param('protocol')
    const protocols = listenersOf(services).map((listener) => listener.protocol)
    if (protocols.includes(protocol)) return ok({ protocol })
    return failed('No active listener', { missing: protocol, protocols })
  }),
  get('/api/health/checks/certificate-expiration/{within}/{unit}', ({ param }, services) =>
    certificates(services, Number(param('within')), unitsMs[param('unit')]),
  ),
]

const aliases: Readonly<Record<string, string>> = { amqp091: 'amqp', 'amqp0.9.1': 'amqp', amqps: 'amqp/ssl' }

function ok(more: object = {}): object {
  return { status: 'ok', ...more }
}

function failed(reason: string, more: object = {}): Response {
  return json(503, { status: 'failed', reason, ...more })
}

function alarms({ health, session, node }: ManagementServices): object {
  const resources = [
    ...(health.checks().disk === undefined ? [] : ['disk']),
    ...(session.broker.shortages.memory ? ['memory'] : []),
  ]
  if (resources.length === 0) return ok()
  return failed('There are alarms in effect in the cluster', { alarms: resources.map((resource) => ({ node, resource })) })
}

/** @throws MillraceError `bad_request` */
function certificates({ config, session }: ManagementServices, within: number, unitMs: number | undefined): object {
  if (!Number.isSafeInteger(within) || within < 0 || unitMs === undefined)
    throw badRequest(`a time is a whole number of ${Object.keys(unitsMs).join(', ')}`)
  const untilMs = session.platform.clock.nowMs() + within * unitMs
  const files = config.listen.flatMap(({ door, tls }) => {
    const cert = tls === false ? null : (tls?.cert ?? config.tls.cert)
    return cert === null ? [] : [{ door, cert }]
  })
  const expired = files.flatMap(({ door, cert }) => {
    const { validTo } = new X509Certificate(readFileSync(cert))
    return Date.parse(validTo) > untilMs ? [] : [{ interface: door, cert_expires_on: validTo }]
  })
  return expired.length === 0 ? ok() : failed('Certificates expiring', { expired })
}
