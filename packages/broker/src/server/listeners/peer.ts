import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Peer } from '../../protocols/session.ts'
import { formatAddress } from '../config/listen.ts'

/** Who is on the other side of a socket. */
export function peerOf(socket: Socket, transport: 'tcp' | 'websocket'): Peer {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket
  const address = formatAddress(remoteAddress, remotePort)
  if (!isTls(socket)) return { address, transport, secure: false }
  const certificateName = socket.authorized ? nameOf(socket) : undefined
  return { address, transport, secure: true, ...(certificateName === undefined ? {} : { certificateName }) }
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'encrypted' in socket && socket.encrypted === true
}

function nameOf(socket: TLSSocket): string | undefined {
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' ? name : undefined
}
