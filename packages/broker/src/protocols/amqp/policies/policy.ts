import { MillraceError } from '../../../base/errors.ts'
import { compileRegularExpression, type RegularExpression } from '../../../base/regular-expression/regular-expression.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import { policySettings } from './policy-settings.ts'

const PRIORITY_MAX = 2 ** 31 - 1

export type ApplyTo = (typeof applyTos)[number]
export const applyTos = ['all', 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges'] as const

/** What policies may be about. */
export type PolicyTarget = 'classic' | 'quorum' | 'stream' | 'exchange'

/** Settings for all queues and exchanges of a virtual host whose name a pattern is found in. */
export interface PolicySpec {
  readonly pattern: string
  readonly applyTo: ApplyTo
  /** Of several that match the highest counts, alone. */
  readonly priority: number
  readonly definition: ArgumentsJson
}

export interface Policy extends PolicySpec {
  readonly vhost: string
  readonly name: string
}

export interface CompiledPolicy {
  readonly policy: Policy
  readonly isIn: RegularExpression
}

const targets: Readonly<Record<ApplyTo, readonly PolicyTarget[]>> = {
  all: ['classic', 'quorum', 'stream', 'exchange'],
  queues: ['classic', 'quorum', 'stream'],
  classic_queues: ['classic'],
  quorum_queues: ['quorum'],
  streams: ['stream'],
  exchanges: ['exchange'],
}

/** @throws MillraceError `bad_request` */
export function compilePolicy(policy: Policy): CompiledPolicy {
  return { policy, isIn: compileRegularExpression(policy.pattern) }
}

/** @param isOperator such a policy limits queues, and says nothing else @throws MillraceError `bad_request` */
export function checkPolicy(policy: Policy, isOperator: boolean): void {
  const { name, applyTo, priority, definition } = policy
  if (name === '' || name.length > 255) throw wrong(policy, 'its name has 1 to 255 characters')
  if (!applyTos.includes(applyTo)) throw wrong(policy, `apply-to is one of ${applyTos.join(', ')}`)
  if (!Number.isSafeInteger(priority) || Math.abs(priority) > PRIORITY_MAX) throw wrong(policy, 'priority is a whole number')
  const entries = Object.entries(definition)
  if (entries.length === 0) throw wrong(policy, 'its definition says nothing')
  for (const [key, value] of entries) {
    const setting = policySettings.get(key)
    if (setting === undefined) throw wrong(policy, `${JSON.stringify(key)} is no setting of policies`)
    if (isOperator && key === 'alternate-exchange') throw wrong(policy, `${key} is no setting of operator policies`)
    const expected = setting.check(value)
    if (expected !== undefined) throw wrong(policy, `${key} must be ${expected}`)
  }
  compilePolicy(policy)
}

/** The one of those that match which counts; of two with one priority, the first by name. */
export function policyFor(policies: readonly CompiledPolicy[], target: PolicyTarget, name: string): Policy | undefined {
  let found: Policy | undefined
  for (const { policy, isIn } of policies) {
    if (found !== undefined && policy.priority <= found.priority) continue
    if (targets[policy.applyTo].includes(target) && isIn(name)) found = policy
  }
  return found
}

function wrong({ name }: Policy, why: string): MillraceError {
  return new MillraceError('bad_request', `The policy ${JSON.stringify(name)} is not valid: ${why}.`)
}
