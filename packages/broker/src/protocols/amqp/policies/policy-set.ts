import type { ArgumentsJson } from '../definitions/arguments.ts'
import { effectiveArguments } from './effective-arguments.ts'
import { type CompiledPolicy, compilePolicy, type Policy, policyFor, type PolicyTarget } from './policy.ts'

/** Which policies count for one queue or exchange. */
export interface MatchingPolicies {
  readonly policy: Policy | undefined
  readonly operatorPolicy: Policy | undefined
}

/** All policies at one time, compiled. */
export class PolicySet {
  readonly #policies: ReadonlyMap<string, readonly CompiledPolicy[]>
  readonly #operatorPolicies: ReadonlyMap<string, readonly CompiledPolicy[]>

  constructor(policies: readonly Policy[], operatorPolicies: readonly Policy[]) {
    this.#policies = byVhost(policies)
    this.#operatorPolicies = byVhost(operatorPolicies)
  }

  /** @param name as clients say it */
  matching(vhost: string, target: PolicyTarget, name: string): MatchingPolicies {
    return {
      policy: policyFor(this.#policies.get(vhost) ?? [], target, name),
      operatorPolicy: policyFor(this.#operatorPolicies.get(vhost) ?? [], target, name),
    }
  }

  /** What counts for something that is declared with these arguments, as arguments. @param name as clients say it */
  effective(vhost: string, target: PolicyTarget, name: string, declared: ArgumentsJson): ArgumentsJson {
    const { policy, operatorPolicy } = this.matching(vhost, target, name)
    return effectiveArguments(declared, policy, operatorPolicy)
  }
}

function byVhost(policies: readonly Policy[]): ReadonlyMap<string, readonly CompiledPolicy[]> {
  const compiled = new Map<string, CompiledPolicy[]>()
  for (const policy of policies) compiled.set(policy.vhost, [...(compiled.get(policy.vhost) ?? []), compilePolicy(policy)])
  return compiled
}
