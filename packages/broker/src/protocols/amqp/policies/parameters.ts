import { MillraceError } from '../../../base/errors.ts'
import type { Documents } from '../../../core/documents/documents.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { GLOBAL_PARAMETERS, VHOST_PARAMETERS } from './collections.ts'
import { documentKey, keyParts } from './document-keys.ts'

export interface Parameter {
  readonly vhost: string
  /** What it is for, such as `shovel`. */
  readonly component: string
  readonly name: string
  /** Any JSON. */
  readonly value: unknown
}

export interface GlobalParameter {
  readonly name: string
  readonly value: unknown
}

const NAME_LENGTH_MAX = 255

/** Values that others keep here by name: nothing of them is interpreted. */
export class Parameters {
  readonly #documents: Documents

  constructor(documents: Documents) {
    this.#documents = documents
  }

  list(where: { readonly vhost?: string | undefined; readonly component?: string | undefined } = {}): readonly Parameter[] {
    return this.#documents
      .list(VHOST_PARAMETERS)
      .map(([key, value]) => {
        const [vhost, component, name] = keyParts(key)
        return { vhost: vhost!, component: component!, name: name!, value: unwrapped(value) }
      })
      .filter(({ vhost, component }) => (where.vhost ?? vhost) === vhost && (where.component ?? component) === component)
  }

  /** @throws MillraceError `not_found` */
  get(vhost: string, component: string, name: string): Parameter {
    const document = this.#documents.get(VHOST_PARAMETERS, documentKey(vhost, component, name))
    if (document === undefined) throw missing(`${component} ${name}`)
    return { vhost, component, name, value: unwrapped(document) }
  }

  /** @throws MillraceError `bad_request`, `limit_reached`, `record_too_large` */
  put({ vhost, component, name, value }: Parameter): Ticket {
    checkNames(component, name)
    return this.#documents.put(VHOST_PARAMETERS, documentKey(vhost, component, name), { value })
  }

  /** @throws MillraceError `not_found` */
  remove(vhost: string, component: string, name: string): Ticket {
    this.get(vhost, component, name)
    return this.#documents.remove(VHOST_PARAMETERS, documentKey(vhost, component, name))
  }

  listGlobal(): readonly GlobalParameter[] {
    return this.#documents.list(GLOBAL_PARAMETERS).map(([name, value]) => ({ name, value: unwrapped(value) }))
  }

  /** @throws MillraceError `not_found` */
  getGlobal(name: string): GlobalParameter {
    const document = this.#documents.get(GLOBAL_PARAMETERS, name)
    if (document === undefined) throw missing(name)
    return { name, value: unwrapped(document) }
  }

  /** @throws MillraceError `bad_request`, `limit_reached`, `record_too_large` */
  putGlobal({ name, value }: GlobalParameter): Ticket {
    checkNames(name)
    return this.#documents.put(GLOBAL_PARAMETERS, name, { value })
  }

  /** @throws MillraceError `not_found` */
  removeGlobal(name: string): Ticket {
    this.getGlobal(name)
    return this.#documents.remove(GLOBAL_PARAMETERS, name)
  }
}

/** Documents are objects; a parameter may be anything. */
function unwrapped(document: unknown): unknown {
  return (document as { readonly value: unknown }).value
}

/** @throws MillraceError `bad_request` */
function checkNames(...names: readonly string[]): void {
  if (names.every((name) => name.length > 0 && name.length <= NAME_LENGTH_MAX)) return
  throw new MillraceError('bad_request', `The name of a parameter has 1 to ${NAME_LENGTH_MAX} characters.`)
}

function missing(name: string): MillraceError {
  return new MillraceError('not_found', `There is no parameter ${JSON.stringify(name)}.`)
}
