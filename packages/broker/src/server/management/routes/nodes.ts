import { statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { notFound } from '../failures.ts'
import { get, type ManagementRoute } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'

export const nodeRoutes: readonly ManagementRoute[] = [
  get('/api/nodes', async (_call, services) => [await nodeView(services)]),
  get('/api/nodes/{name}', ({ param }, services) => {
    if (param('name') !== services.node) throw notFound(`node ${param('name')}`)
    return nodeView(services)
  }),
]

async function nodeView(services: ManagementServices): Promise<object> {
  const { node, session, health, config, listeners } = services
  const { uptimeMs, pid, engine } = session.status()
  return {
    name: node,
    type: engine === 'memory' ? 'ram' : 'disc',
    running: true,
    being_drained: health.checks().serving !== undefined,
    os_pid: String(pid),
    uptime: uptimeMs,
    mem_used: process.memoryUsage.rss(),
    mem_limit: totalmem(),
    mem_alarm: session.broker.shortages.memory,
    disk_free: engine === 'memory' ? 0 : await freeBytes(config.data),
    disk_free_alarm: health.checks().disk !== undefined,
    processors: availableParallelism(),
    sockets_used: listeners().reduce((sum, { connections }) => sum + connections, 0),
    sockets_total: listeners().length * config.limits.connectionsMax,
    rates_mode: 'basic',
    partitions: [],
    cluster_links: [],
    config_files: [],
    db_dir: config.data,
    enabled_plugins: ['rabbitmq_management'],
    applications: [{ name: 'millrace', description: 'Millrace', version: session.identity.brokerVersion }],
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
