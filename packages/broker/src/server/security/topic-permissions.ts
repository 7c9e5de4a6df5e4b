import {
  compileRegularExpression,
  escapeForPattern,
  type RegularExpression,
} from '../../base/regular-expression/regular-expression.ts'
import { splitScopedName } from '../../base/scoped-names.ts'
import type { TopicPermission } from '../../protocols/permissions.ts'

const CLIENT_ID = '{client_id}'
/** Patterns with the names of clients in them that are kept compiled, for each such pattern. */
const CLIENTS_MAX = 200
const DEFAULT_EXCHANGE = 'amq.default'

type KeyPattern = (key: string, clientId: string | undefined) => boolean

interface CompiledPermission extends Pick<TopicPermission, 'vhost' | 'exchange'> {
  readonly write: KeyPattern
  readonly read: KeyPattern
}

/** Which keys a user may use. */
export type CompiledTopicPermissions = readonly CompiledPermission[]

/** @param compile patterns, each once @throws MillraceError `bad_request` */
export function compileTopicPermissions(
  user: string,
  permissions: readonly TopicPermission[],
  compile: (pattern: string) => RegularExpression,
): CompiledTopicPermissions {
  return permissions.map(({ vhost, exchange, write, read }) => {
    const values = { username: user, vhost }
    return {
      vhost,
      exchange: exchange === '' ? DEFAULT_EXCHANGE : exchange,
      write: keyPattern(write, values, compile),
      read: keyPattern(read, values, compile),
    }
  })
}

/** An exchange of which the permissions say nothing takes any key. */
export function topicPermissionsAllow(
  permissions: CompiledTopicPermissions,
  scopedExchange: string,
  key: string,
  access: 'write' | 'read',
  clientId: string | undefined,
): boolean {
  const { vhost, name } = splitScopedName(scopedExchange)
  const exchange = name === '' ? DEFAULT_EXCHANGE : name
  const about = permissions.filter((each) => each.vhost === vhost && each.exchange === exchange)
  return about.length === 0 || about.some((each) => each[access](key, clientId))
}

function keyPattern(
  pattern: string,
  values: Readonly<Record<'username' | 'vhost', string>>,
  compile: (pattern: string) => RegularExpression,
): KeyPattern {
  const expanded = pattern.replaceAll(/\{(username|vhost)\}/g, (_, name: 'username' | 'vhost') => escapeForPattern(values[name]))
  const plain = compile(expanded)
  if (!expanded.includes(CLIENT_ID)) return (key) => plain(key)
  const byClient = new Map<string, RegularExpression>()
  return (key, clientId) => {
    // Without a name the variable stands for itself, and so for no client.
    if (clientId === undefined) return plain(key)
    let matches = byClient.get(clientId)
    if (matches === undefined) {
      if (byClient.size >= CLIENTS_MAX) byClient.clear()
      matches = compileRegularExpression(expanded.replaceAll(CLIENT_ID, () => escapeForPattern(clientId)))
      byClient.set(clientId, matches)
    }
    return matches(key)
  }
}
