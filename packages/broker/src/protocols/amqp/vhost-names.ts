import { scopedName, splitScopedName } from '../../base/scoped-names.ts'

/** Names of one virtual host: as its clients say them, and as the core does. */
export class VhostNames {
  readonly vhost: string

  constructor(vhost: string) {
    this.vhost = vhost
  }

  core(name: string): string {
    return scopedName(this.vhost, name)
  }

  /** The way back. */
  own(core: string): string {
    return splitScopedName(core).name
  }

  /** As RabbitMQ says it: `queue 'q' in vhost '/'`. */
  told(kind: 'queue' | 'exchange', name: string): string {
    return `${kind} '${name}' in vhost '${this.vhost}'`
  }
}
