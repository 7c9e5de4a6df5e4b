import type { AddressInfo, Server } from 'node:net'
import { MillraceError } from '../../base/errors.ts'
import type { ListenEntry } from '../config/config.ts'
import { formatAddress } from '../config/listen.ts'
import type { Log } from '../log/log.ts'

/**
 * Starts to listen. A default address that is taken is skipped with a warning.
 * @returns the address with the port that was given, or undefined when it was skipped
 * @throws MillraceError `address_in_use`, `bad_config`
 */
export async function bind(server: Server, entry: ListenEntry, log: Log): Promise<string | undefined> {
  const wanted = formatAddress(entry.host, entry.port)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: entry.host, port: entry.port, backlog: 1024 }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    const failure = bindFailure(error as NodeJS.ErrnoException, entry.name, wanted)
    if (failure.code !== 'address_in_use' || entry.asked) throw failure
    log.warn('listener.skipped', `${failure.message} Running without this door for now.`, {
      listener: entry.name,
      address: wanted,
    })
    return undefined
  }
  server.on('error', (error) => log.error('listener.failed', `The listener ${entry.name} failed: ${error.message}`, { error }))
  const { address, port } = server.address() as AddressInfo
  const bound = formatAddress(address, port)
  log.debug('listener.open', `${entry.name} listens on ${bound}.`, { listener: entry.name, address: bound })
  return bound
}

function bindFailure(error: NodeJS.ErrnoException, name: string, address: string): MillraceError {
  const cause = { cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return new MillraceError(
        'address_in_use',
        `The listener ${name} cannot listen on ${address}: another process has that port. Stop it, or choose another port with --listen ${name}=HOST:PORT (port 0 picks a free one, --listen ${name}=none leaves it closed).`,
        cause,
      )
    case 'EACCES':
      return new MillraceError(
        'bad_config',
        `The listener ${name} may not listen on ${address}: this user has no right to that port. Choose one above 1023.`,
        cause,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new MillraceError(
        'bad_config',
        `The listener ${name} cannot listen on ${address}: that is not an address of this machine.`,
        cause,
      )
    default:
      return new MillraceError('bad_config', `The listener ${name} cannot listen on ${address}: ${error.message}.`, cause)
  }
}
