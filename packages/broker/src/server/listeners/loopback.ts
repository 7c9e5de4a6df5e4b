import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { MillraceError } from '../../base/errors.ts'
import type { Config } from '../config/config.ts'
import { formatAddress } from '../config/listen.ts'

/**
 * Without users, everybody who can connect may do everything: then only this machine may connect.
 * @throws MillraceError `insecure_bind`
 */
export async function refuseInsecureBinds(config: Pick<Config, 'listen' | 'security'>, hasUsers: boolean): Promise<void> {
  if (hasUsers || config.security.allowRemoteWithoutUsers) return
  for (const { name, host, port } of config.listen) {
    if (await isLoopback(host)) continue
    throw new MillraceError(
      'insecure_bind',
      `The listener ${name} was asked to listen on ${formatAddress(host, port)}, which other machines can reach, but no users are configured: ` +
        'everybody who can connect could read and delete everything. Add one who administers the broker (millrace user add NAME --admin), listen on 127.0.0.1 instead, or, if the network is closed ' +
        'by other means, set security.allowRemoteWithoutUsers: true (--security-allow-remote-without-users, ' +
        'MILLRACE_SECURITY_ALLOW_REMOTE_WITHOUT_USERS=true).',
    )
  }
}

/** Whether only this machine can reach `host`. */
export async function isLoopback(host: string): Promise<boolean> {
  if (isIP(host) !== 0) return isLoopbackAddress(host)
  if (host === 'localhost') return true
  // A name that does not resolve is left to the bind, which reports it.
  const addresses = await lookup(host, { all: true }).catch(() => [])
  return addresses.every(({ address }) => isLoopbackAddress(address))
}

/** @param address an IP address */
function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '')
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}
