import { MillraceError } from '../../../base/errors.ts'
import type { Documents } from '../../../core/documents/documents.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { OPERATOR_POLICIES, POLICIES } from './collections.ts'
import { documentKey, keyParts } from './document-keys.ts'
import { checkPolicy, type Policy, type PolicySpec } from './policy.ts'
import { PolicySet } from './policy-set.ts'

const POLICIES_MAX = 10_000

export type PolicyKind = 'policy' | 'operator-policy'

/** Policies of virtual hosts: documents of the broker. What they do to what exists is `policy-application.ts`. */
export class Policies {
  readonly #documents: Documents
  #current: PolicySet | undefined

  constructor(documents: Documents) {
    this.#documents = documents
    for (const collection of [POLICIES, OPERATOR_POLICIES]) documents.onChanged(collection, () => (this.#current = undefined))
  }

  /** Compiled when it is first asked for after a change. */
  get current(): PolicySet {
    this.#current ??= new PolicySet(this.list('policy'), this.list('operator-policy'))
    return this.#current
  }

  /** By virtual host and name. @param vhost undefined for all */
  list(kind: PolicyKind, vhost?: string): readonly Policy[] {
    return this.#documents
      .list(collectionOf(kind))
      .map(([key, document]) => policyOf(key, document))
      .filter((policy) => vhost === undefined || policy.vhost === vhost)
  }

  /** @throws MillraceError `not_found` */
  get(kind: PolicyKind, vhost: string, name: string): Policy {
    const key = documentKey(vhost, name)
    const document = this.#documents.get(collectionOf(kind), key)
    if (document !== undefined) return policyOf(key, document)
    throw new MillraceError(
      'not_found',
      `There is no ${kind} ${JSON.stringify(name)} in the virtual host ${JSON.stringify(vhost)}.`,
    )
  }

  /** @throws MillraceError `bad_request`, `limit_reached` */
  put(kind: PolicyKind, policy: Policy): Ticket {
    checkPolicy(policy, kind === 'operator-policy')
    const { vhost, name, ...spec } = policy
    const collection = collectionOf(kind)
    const key = documentKey(vhost, name)
    if (this.#documents.get(collection, key) === undefined && this.#documents.list(collection).length >= POLICIES_MAX)
      throw new MillraceError('limit_reached', `There are ${POLICIES_MAX} policies, which is the limit.`)
    return this.#documents.put(collection, key, spec)
  }

  /** @throws MillraceError `not_found` */
  remove(kind: PolicyKind, vhost: string, name: string): Ticket {
    this.get(kind, vhost, name)
    return this.#documents.remove(collectionOf(kind), documentKey(vhost, name))
  }
}

function collectionOf(kind: PolicyKind): string {
  return kind === 'policy' ? POLICIES : OPERATOR_POLICIES
}

function policyOf(key: string, document: unknown): Policy {
  const [vhost, name] = keyParts(key)
  return { vhost: vhost!, name: name!, ...(document as PolicySpec) }
}
