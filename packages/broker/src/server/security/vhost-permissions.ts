import { parseTopicAddress } from '@millrace/wire'
import type { RegularExpression } from '../../base/regular-expression/regular-expression.ts'
import { type ScopedName, splitScopedName } from '../../base/scoped-names.ts'
import type { VhostPermission } from '../../protocols/permissions.ts'
import type { Action } from '../../protocols/session.ts'

/** The name of the default exchange in permissions. */
const DEFAULT_EXCHANGE = 'amq.default'

type Part = 'configure' | 'write' | 'read'

/** The permissions of a user by virtual host: several where roles have some too. */
export type CompiledPermissions = ReadonlyMap<string, readonly Readonly<Record<Part, RegularExpression>>[]>

/** Which part of a permission an action needs. */
const partOf: Readonly<Partial<Record<Action, Part>>> = {
  create: 'configure',
  define: 'configure',
  delete: 'configure',
  publish: 'write',
  consume: 'read',
  read: 'read',
}

/** @param compile patterns, each once @throws MillraceError `bad_request` */
export function compilePermissions(
  permissions: readonly VhostPermission[],
  compile: (pattern: string) => RegularExpression,
): CompiledPermissions {
  const byVhost = new Map<string, Readonly<Record<Part, RegularExpression>>[]>()
  for (const { vhost, configure, write, read } of permissions) {
    const compiled = { configure: compile(configure), write: compile(write), read: compile(read) }
    byVhost.set(vhost, [...(byVhost.get(vhost) ?? []), compiled])
  }
  return byVhost
}

/** Whether permissions allow an action on a queue, topic, exchange or virtual host; they say nothing of other resources. */
export function permissionsAllow(permissions: CompiledPermissions, action: Action, resource: string): boolean {
  if (permissions.size === 0) return false
  const colon = resource.indexOf(':')
  const kind = resource.slice(0, colon)
  const rest = resource.slice(colon + 1)
  if (kind === 'vhost') return (action === 'connect' || action === 'describe') && permissions.has(rest)
  const scoped = scopedNameOf(kind, rest, resource)
  const inVhost = scoped === undefined ? undefined : permissions.get(scoped.vhost)
  if (scoped === undefined || inVhost === undefined) return false
  const names = namesOf(kind, scoped.name, action)
  const parts = action === 'describe' ? (['configure', 'write', 'read'] as const) : [partOf[action]]
  return inVhost.some((permission) => parts.some((part) => part !== undefined && names.some((name) => permission[part](name))))
}

/** Whether there may be something for which they allow an action. */
export function permissionsAllowSomewhere(permissions: CompiledPermissions, action: Action): boolean {
  return permissions.size > 0 && (action === 'describe' || partOf[action] !== undefined)
}

function scopedNameOf(kind: string, rest: string, resource: string): ScopedName | undefined {
  if (kind === 'queue' || kind === 'exchange') return splitScopedName(rest)
  // A subscription is a part of its topic.
  const topic = parseTopicAddress(resource)
  return topic === undefined ? undefined : splitScopedName(topic.name)
}

/** What a resource is called in permissions. What is published to a queue by name goes through the default exchange. */
function namesOf(kind: string, name: string, action: Action): readonly string[] {
  if (kind === 'exchange') return [name === '' ? DEFAULT_EXCHANGE : name]
  return kind === 'queue' && action === 'publish' ? [name, DEFAULT_EXCHANGE] : [name]
}
