import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Door, Peer, SessionContext } from '../../protocols/session.ts'
import type { ListenEntry } from '../config/config.ts'
import type { Log } from '../log/log.ts'
import type { TlsFiles } from '../tls/tls-files.ts'
import { bind } from './bind.ts'
import type { Listener, ListenerLimits } from './listener.ts'
import { readShared } from './shared-reads.ts'
import { SessionRegistry } from './session-registry.ts'
import { peerOf } from './peer.ts'
import { PipedConnection } from './piped-connection.ts'
import { TcpPipe } from './tcp-pipe.ts'

const KEEP_ALIVE_PROBE_MS = 30_000

/** Accepts TCP connections for one door. @returns undefined when a default port is taken @throws MillraceError `address_in_use`, `bad_config` */
export async function openTcpListener(
  door: Door,
  entry: ListenEntry,
  context: SessionContext,
  limits: ListenerLimits,
  log: Log,
  tls?: TlsFiles,
): Promise<Listener | undefined> {
  const sessions = new SessionRegistry(entry.name, limits, log)
  const server = serverOf((socket) => accept(socket, door, entry, context, limits, sessions, log), tls, log)
  const address = await bind(server, entry, log).catch(async (error: unknown) => {
    await sessions.drain(0)
    throw error
  })
  if (address === undefined) {
    await sessions.drain(0)
    return undefined
  }
  return {
    door: entry.door,
    name: entry.name,
    address,
    get connections() {
      return sessions.size
    },
    get accepted() {
      return sessions.accepted
    },
    close: async (timeoutMs) => {
      const closed = stopAccepting(server)
      await sessions.drain(timeoutMs)
      await closed
    },
  }
}

function serverOf(onSocket: (socket: Socket) => void, tls: TlsFiles | undefined, log: Log): Server {
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS }
  if (tls === undefined) return createServer({ ...options, pauseOnConnect: true }, onSocket)
  const server = createTlsServer({ ...options, ...tls.serverOptions }, onSocket)
  server.on('tlsClientError', (error) => log.debug('connection.refused', `A TLS handshake failed: ${error.message}`))
  tls.keepUpToDate(server)
  return server
}

function accept(
  accepted: Socket,
  door: Door,
  entry: ListenEntry,
  context: SessionContext,
  limits: ListenerLimits,
  sessions: SessionRegistry,
  log: Log,
): void {
  const remote = accepted.remoteAddress
  // Gone before it was accepted, or one too many.
  if (remote === undefined || !sessions.admits(remote)) {
    accepted.destroy()
    return
  }
  const peer: Peer = {
    ...peerOf(accepted, 'tcp', entry.login),
    reached: entry.advertised ?? { host: withoutMapping(accepted.localAddress ?? ''), port: accepted.localPort ?? 0 },
  }
  const received = (bytes: Uint8Array): void => connection.received(bytes)
  const socket = peer.secure ? accepted.on('data', received) : readShared(accepted, received)
  const connection = new PipedConnection(new TcpPipe(socket), peer, limits.outputBytesMax)
  const session = door.accept(connection, context)
  connection.attach(session)
  const remove = sessions.add(session, remote, () => connection.cut())
  const details = { listener: entry.name, peer: peer.address }
  log.debug('connection.open', `${peer.address} connected to ${entry.name}.`, details)
  // Always followed by `close`.
  socket.on('error', (error) => log.debug('connection.closed', `${peer.address} failed: ${error.message}`, details))
  socket.once('close', () => {
    connection.gone()
    remove()
    log.debug('connection.closed', `${peer.address} left ${entry.name}.`, details)
  })
}

/** IPv4 addresses look like IPv6 on a socket for both. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}

function stopAccepting(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
