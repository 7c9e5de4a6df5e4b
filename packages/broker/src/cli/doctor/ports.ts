import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import type { BrokerStatus } from '@millrace/client'
import { DEFAULT_HOST, doors } from '../../server/config/doors.ts'
import { ok, warn } from './check.ts'
import type { Finding } from './check.ts'

/** Whether each door's default port is free, or taken by the broker that was reached, or by somebody else. */
export async function checkPorts(broker: BrokerStatus | undefined): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [door, { port }] of Object.entries(doors)) {
    const check = `port ${port} (${door})`
    const address = broker?.listeners[door]
    if (address !== undefined && address.endsWith(`:${port}`)) findings.push(ok(check, `this broker listens on ${address}`))
    else if (await isFree(port)) findings.push(ok(check, 'free'))
    else findings.push(warn(check, `taken by ${holderOf(port)}`, `Stop it, or start the broker with --listen ${door}=HOST:PORT.`))
  }
  return findings
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, DEFAULT_HOST, () => server.close(() => resolve(true)))
  })
}

/** Linux only, and only for processes of the same user: the socket's inode is looked up among all open files. */
function holderOf(port: number): string {
  const unknown = 'another process'
  if (process.platform !== 'linux') return unknown
  const inodes = new Set([...listeningInodes('/proc/net/tcp', port), ...listeningInodes('/proc/net/tcp6', port)])
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || !openSockets(pid).some((inode) => inodes.has(inode))) continue
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`
  }
  return unknown
}

/** Lines of /proc/net/tcp: `sl local_address rem_address st ... inode`, addresses in hexadecimal, state 0A is LISTEN. */
function listeningInodes(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readFileSync(table, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) === true && columns[3] === '0A')
    .map((columns) => columns[9]!)
}

function openSockets(pid: string): readonly string[] {
  const folder = `/proc/${pid}/fd`
  let files: readonly string[]
  try {
    files = readdirSync(folder)
  } catch {
    return [] // it belongs to somebody else, or has just ended
  }
  return files.flatMap((file) => /^socket:\[(\d+)\]$/.exec(linkTarget(`${folder}/${file}`))?.[1] ?? [])
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // closed in between
  }
}
