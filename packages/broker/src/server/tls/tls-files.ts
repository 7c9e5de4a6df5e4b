import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { MillraceError } from '../../base/errors.ts'
import type { TlsSettings } from '../config/config.ts'
import type { Log } from '../log/log.ts'

const LOOK_MS = 5000
const HANDSHAKE_TIMEOUT_MS = 10_000

export interface TlsServerOptions extends SecureContextOptions {
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
  readonly handshakeTimeout: number
}

/** What a server can be told to use from now on. */
interface Renewable {
  setSecureContext(options: SecureContextOptions): void
}

/** Certificate and key of listeners, from their files, which may be replaced while the broker runs. */
export class TlsFiles {
  readonly #settings: TlsSettings
  readonly #log: Log
  readonly #servers = new Set<Renewable>()
  #context: SecureContextOptions

  /** @throws MillraceError `bad_config` */
  constructor(settings: TlsSettings, log: Log) {
    this.#settings = settings
    this.#log = log
    this.#context = readContext(settings)
    for (const path of this.#paths) watchFile(path, { interval: LOOK_MS, persistent: false }, this.reload)
  }

  get serverOptions(): TlsServerOptions {
    const { ca, clientCertificates } = this.#settings
    return {
      ...this.#context,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: ca !== null,
      // Where certificates are optional, one that does not count is as good as none.
      rejectUnauthorized: ca !== null && clientCertificates === 'required',
    }
  }

  /** Has the server use what the files hold from now on, for connections to come. */
  keepUpToDate(server: Renewable): void {
    this.#servers.add(server)
  }

  /** Reads the files again. What cannot be used is logged and changes nothing. */
  readonly reload = (): void => {
    try {
      const context = readContext(this.#settings)
      for (const server of this.#servers) server.setSecureContext(context)
      this.#context = context
      this.#log.info('tls.loaded', `The certificate ${this.#settings.cert} is used from now on.`, { path: this.#settings.cert })
    } catch (error) {
      this.#log.error('tls.refused', `The certificate stays as it was: ${(error as Error).message}`, { error })
    }
  }

  close(): void {
    for (const path of this.#paths) unwatchFile(path, this.reload)
  }

  get #paths(): readonly string[] {
    const { cert, key, ca } = this.#settings
    return [cert, key, ...(ca === null ? [] : [ca])]
  }
}

function readContext({ cert, key, ca }: TlsSettings): SecureContextOptions {
  const options: SecureContextOptions = {
    minVersion: 'TLSv1.2',
    cert: read(cert),
    key: read(key),
    ...(ca === null ? {} : { ca: read(ca) }),
  }
  try {
    createSecureContext(options)
  } catch (error) {
    const what = `The certificate ${cert} and the key ${key} cannot be used together: ${(error as Error).message}. Both must be PEM.`
    throw new MillraceError('bad_config', what, { cause: error })
  }
  return options
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new MillraceError('bad_config', `The file ${path} for TLS cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
