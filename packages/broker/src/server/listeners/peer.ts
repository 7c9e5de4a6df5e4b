import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { LoginRule, Peer } from '../../protocols/session.ts'
import { formatAddress } from '../config/listen.ts'

/** Who is on the other side of a socket. @param login of the listener that accepted it */
export function peerOf(socket: Socket, transport: 'tcp' | 'websocket', login?: LoginRule): Peer {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket
  const peer = { address: formatAddress(remoteAddress, remotePort), transport, ...(login === undefined ? {} : { login }) }
  if (!isTls(socket)) return { ...peer, secure: false }
  const certificateName = socket.authorized ? nameOf(socket) : undefined
  return { ...peer, secure: true, ...(certificateName === undefined ? {} : { certificateName }) }
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'encrypted' in socket && socket.encrypted === true
}

function nameOf(socket: TLSSocket): string | undefined {
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' ? name : undefined
}
