import type { ArgumentJson, ArgumentsJson } from '../definitions/arguments.ts'
import type { Policy } from './policy.ts'
import { policySettings } from './policy-settings.ts'

const DEAD_LETTER_EXCHANGE = 'x-dead-letter-exchange'
const DEAD_LETTER_KEY = 'x-dead-letter-routing-key'

/**
 * What counts, as arguments of a declaration: what a client declared, before what a policy says; and before both what an operator's policy says, where of
 * two limits the lower one counts.
 */
export function effectiveArguments(
  declared: ArgumentsJson,
  policy: Policy | undefined,
  operatorPolicy: Policy | undefined,
): ArgumentsJson {
  if (policy === undefined && operatorPolicy === undefined) return declared
  const effective: Record<string, ArgumentJson> = { ...policyArguments(policy), ...declared }
  for (const [key, value] of Object.entries(operatorPolicy?.definition ?? {})) {
    const { argument, isLimit = false } = policySettings.get(key) ?? {}
    if (argument === undefined) continue
    const current = effective[argument]
    effective[argument] = isLimit && typeof current === 'number' ? Math.min(current, value as number) : value
  }
  // A policy may say a key for queues that have no exchange for it.
  if (effective[DEAD_LETTER_EXCHANGE] === undefined && declared[DEAD_LETTER_KEY] === undefined) delete effective[DEAD_LETTER_KEY]
  return effective
}

/** What policies say, merged as RabbitMQ shows it. */
export function effectiveDefinition(policy: Policy | undefined, operatorPolicy: Policy | undefined): ArgumentsJson {
  const merged: Record<string, ArgumentJson> = { ...policy?.definition }
  for (const [key, value] of Object.entries(operatorPolicy?.definition ?? {})) {
    const current = merged[key]
    const isLimit = policySettings.get(key)?.isLimit === true
    merged[key] = isLimit && typeof current === 'number' ? Math.min(current, value as number) : value
  }
  return merged
}

function policyArguments(policy: Policy | undefined): ArgumentsJson {
  const result: Record<string, ArgumentJson> = {}
  for (const [key, value] of Object.entries(policy?.definition ?? {})) {
    const argument = policySettings.get(key)?.argument
    if (argument !== undefined) result[argument] = value
  }
  return result
}
