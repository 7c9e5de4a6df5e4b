import { compileRegularExpression, type RegularExpression } from '../../base/regular-expression/regular-expression.ts'
import { MillraceError } from '../../base/errors.ts'
import { EVERYONE } from '../../protocols/security.ts'
import type { Action } from '../../protocols/session.ts'
import { parseRule, reachesVhost, type Rule, verdictOf, verdictSomewhere } from './rule.ts'
import { type CompiledTopicPermissions, compileTopicPermissions } from './topic-permissions.ts'
import type { StoredUser } from './user-file.ts'
import { type CompiledPermissions, compilePermissions, permissionsAllow, permissionsAllowSomewhere } from './vhost-permissions.ts'

const VHOST = 'vhost:'

/** All that says what a user may do: its own and that of its roles. */
export interface Grants {
  readonly rules: readonly Rule[]
  readonly permissions: CompiledPermissions
  readonly topicPermissions: CompiledTopicPermissions
  readonly tags: ReadonlySet<string>
}

export const noGrants: Grants = { rules: [], permissions: new Map(), topicPermissions: [], tags: new Set() }

/** @throws MillraceError `bad_request` for rules and patterns that are none, and roles that do not exist */
export function compileGrants(users: readonly StoredUser[]): ReadonlyMap<string, Grants> {
  const byName = new Map(users.map((user) => [user.name, user] as const))
  const rules = new Map(users.map(({ name, rules: texts }) => [name, texts.map(parseRule)] as const))
  const patterns = new Map<string, RegularExpression>()
  const compile = (pattern: string): RegularExpression => {
    const known = patterns.get(pattern)
    if (known !== undefined) return known
    // An empty one allows nothing, as in RabbitMQ, where it would otherwise be found in everything.
    const compiled = pattern === '' ? (name: string) => name === '' : compileRegularExpression(pattern)
    patterns.set(pattern, compiled)
    return compiled
  }
  const everyone = byName.has(EVERYONE) ? [EVERYONE] : []
  return new Map(
    users.map(({ name, roles = [], tags = [] }) => {
      const unknown = roles.find((role) => !byName.has(role))
      if (unknown !== undefined)
        throw new MillraceError(
          'bad_request',
          `${JSON.stringify(name)} has the role ${JSON.stringify(unknown)}, which is no user.`,
        )
      const counted = [...new Set([name, ...roles, ...everyone])]
      const all = counted.map((each) => byName.get(each)!)
      const grants: Grants = {
        rules: counted.flatMap((each) => rules.get(each)!),
        permissions: compilePermissions(
          all.flatMap(({ permissions = [] }) => permissions),
          compile,
        ),
        topicPermissions: compileTopicPermissions(
          name,
          all.flatMap(({ topicPermissions = [] }) => topicPermissions),
          compile,
        ),
        tags: new Set(tags),
      }
      return [name, grants] as const
    }),
  )
}

/** A rule that denies wins; else one rule, permission or tag that allows is enough; else it is forbidden. */
export function mayDo({ rules, permissions, tags }: Grants, action: Action, resource: string, address?: string): boolean {
  const verdict = verdictOf(rules, action, resource, address)
  if (verdict !== undefined) return verdict === 'allow'
  if (permissionsAllow(permissions, action, resource)) return true
  if (action === 'connect' && resource.startsWith(VHOST)) return reachesVhost(rules, resource.slice(VHOST.length))
  return tagsAllow(tags, permissions, action, resource)
}

/** Whether there may be a resource of the kind for which `mayDo`. */
export function mayDoSomewhere(grants: Grants, action: Action, kind: 'topic' | 'queue' | 'group', address?: string): boolean {
  const verdict = verdictSomewhere(grants.rules, action, kind, address)
  if (verdict !== undefined) return verdict === 'allow'
  return kind !== 'group' && permissionsAllowSomewhere(grants.permissions, action)
}

/** Tags are about the broker and its virtual hosts, never about messages. */
function tagsAllow(tags: ReadonlySet<string>, permissions: CompiledPermissions, action: Action, resource: string): boolean {
  const isVhost = resource.startsWith(VHOST)
  if (tags.size === 0 || (resource !== 'broker' && !isVhost)) return false
  if (tags.has('administrator')) return action !== 'connect'
  if (tags.has('monitoring') && action === 'describe') return true
  return tags.has('policymaker') && isVhost && action === 'define' && permissions.has(resource.slice(VHOST.length))
}
