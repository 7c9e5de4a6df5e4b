import { MillraceError } from '../../base/errors.ts'
import type { Config, ListenEntry, TlsSettings } from './config.ts'

const keys = ['cert', 'key', 'ca', 'clientCertificates']

/** What a listener has of its own, in the configuration file. @throws MillraceError `bad_config` */
export function parseListenerTls(name: string, value: unknown): TlsSettings | false | undefined {
  if (value === undefined || value === null) return undefined
  if (value === false) return false
  const { cert, key, ca = null, clientCertificates = 'optional', ...rest } = value as Readonly<Record<string, unknown>>
  const isFine =
    typeof cert === 'string' &&
    typeof key === 'string' &&
    (ca === null || typeof ca === 'string') &&
    (clientCertificates === 'optional' || clientCertificates === 'required') &&
    Object.keys(rest).length === 0
  if (isFine) return { cert, key, ca, clientCertificates }
  throw new MillraceError(
    'bad_config',
    `tls of the listener "${name}" is neither false nor an object of ${keys.join(', ')}, where cert and key must be`,
  )
}

/** @throws MillraceError `bad_config` for settings that make no whole */
export function checkTls({ cert, key, ca }: Config['tls']): void {
  const missing = cert === null ? 'tls.cert' : 'tls.key'
  if ((cert === null) !== (key === null))
    throw new MillraceError('bad_config', `tls.cert and tls.key go together: ${missing} is missing`)
  if (cert === null && ca !== null)
    throw new MillraceError('bad_config', 'tls.ca is for listeners with TLS: tls.cert and tls.key are missing')
}

/** What a listener uses; undefined for none. */
export function tlsOf({ tls: own }: ListenEntry, { cert, key, ca, clientCertificates }: Config['tls']): TlsSettings | undefined {
  if (own !== undefined) return own === false ? undefined : own
  return cert === null || key === null ? undefined : { cert, key, ca, clientCertificates }
}
