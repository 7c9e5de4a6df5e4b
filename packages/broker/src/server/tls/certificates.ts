import type { Config, ListenEntry } from '../config/config.ts'
import { checkTls, tlsOf } from '../config/listener-tls.ts'
import type { Log } from '../log/log.ts'
import { TlsFiles } from './tls-files.ts'

/** The certificates of all listeners; those with the same files share them. */
export class Certificates {
  readonly #common: Config['tls']
  readonly #log: Log
  readonly #files = new Map<string, TlsFiles>()

  /** @throws MillraceError `bad_config` */
  constructor(common: Config['tls'], log: Log) {
    checkTls(common)
    this.#common = common
    this.#log = log
  }

  /** @returns undefined for a listener without TLS @throws MillraceError `bad_config` */
  for(entry: ListenEntry): TlsFiles | undefined {
    const settings = tlsOf(entry, this.#common)
    if (settings === undefined) return undefined
    const key = JSON.stringify(settings)
    const files = this.#files.get(key) ?? new TlsFiles(settings, this.#log)
    this.#files.set(key, files)
    return files
  }

  reload(): void {
    for (const files of this.#files.values()) files.reload()
  }

  close(): void {
    for (const files of this.#files.values()) files.close()
  }
}
