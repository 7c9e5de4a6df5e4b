import { MillraceError } from '../../../base/errors.ts'
import type { Documents } from '../../../core/documents/documents.ts'
import type { Ticket } from '../../commit-waiters.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import { OPERATOR_POLICIES, POLICIES } from './collections.ts'
import { documentKey, keyParts, keyVhost } from './document-keys.ts'
import { effectiveArguments } from './effective-arguments.ts'
import {
  checkPolicy,
  type CompiledPolicy,
  compilePolicy,
  type Policy,
  policyFor,
  type PolicySpec,
  type PolicyTarget,
} from './policy.ts'

const POLICIES_MAX = 10_000

export type PolicyKind = 'policy' | 'operator-policy'

/** Which policies count for one queue or exchange. */
export interface MatchingPolicies {
  readonly policy: Policy | undefined
  readonly operatorPolicy: Policy | undefined
}

/** Policies of virtual hosts: documents of the broker, compiled when they are first asked for. */
export class Policies {
  readonly #documents: Documents
  readonly #compiled: Readonly<Record<PolicyKind, Map<string, readonly CompiledPolicy[]>>> = {
    policy: new Map(),
    'operator-policy': new Map(),
  }
  readonly #stop: readonly (() => void)[]

  constructor(documents: Documents) {
    this.#documents = documents
    this.#stop = (['policy', 'operator-policy'] as const).map((kind) =>
      documents.onChanged(collectionOf(kind), (key) => this.#compiled[kind].delete(keyVhost(key))),
    )
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

  /** @param name as clients say it */
  matching(vhost: string, target: PolicyTarget, name: string): MatchingPolicies {
    return {
      policy: policyFor(this.#of('policy', vhost), target, name),
      operatorPolicy: target === 'exchange' ? undefined : policyFor(this.#of('operator-policy', vhost), target, name),
    }
  }

  /** What counts for something that is declared with these arguments, as arguments. @param name as clients say it */
  effective(vhost: string, target: PolicyTarget, name: string, declared: ArgumentsJson): ArgumentsJson {
    const { policy, operatorPolicy } = this.matching(vhost, target, name)
    return effectiveArguments(declared, policy, operatorPolicy)
  }

  close(): void {
    for (const stop of this.#stop) stop()
  }

  #of(kind: PolicyKind, vhost: string): readonly CompiledPolicy[] {
    const compiled = this.#compiled[kind]
    let policies = compiled.get(vhost)
    if (policies === undefined) {
      policies = this.list(kind, vhost).map(compilePolicy)
      compiled.set(vhost, policies)
    }
    return policies
  }
}

export function collectionOf(kind: PolicyKind): string {
  return kind === 'policy' ? POLICIES : OPERATOR_POLICIES
}

function policyOf(key: string, document: unknown): Policy {
  const [vhost, name] = keyParts(key)
  return { vhost: vhost!, name: name!, ...(document as PolicySpec) }
}
