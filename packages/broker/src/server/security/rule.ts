import { MillraceError } from '../../base/errors.ts'
import { scopePrefix } from '../../base/scoped-names.ts'
import { resourceOf } from '../../protocols/destination-resource.ts'
import { type Action, actions } from '../../protocols/session.ts'
import { nearestName } from '../config/nearest-name.ts'
import { compileHost, type HostPattern } from './host-pattern.ts'
import { hostOf } from './peer-host.ts'
import { compilePattern, matchesBelow, PATTERN_LENGTH_MAX, type ResourcePattern } from './resource-pattern.ts'

/** What a user may do, or may not: a denial wins over whatever allows. */
export interface Rule {
  readonly effect: 'allow' | 'deny'
  readonly actions: ReadonlySet<Action>
  readonly patterns: readonly ResourcePattern[]
  readonly resources: readonly string[]
  /** From where it counts; undefined: from everywhere. */
  readonly hosts: readonly HostPattern[] | undefined
}

const FORM =
  'write `allow ACTIONS RESOURCES` or `deny ACTIONS RESOURCES`, for example `allow publish,consume queue:orders.*`, and `from ADDRESSES` after it if it counts from there alone'
const words: readonly string[] = [...actions, 'all']
const resource = /^(\*\*|broker|(queue|topic|exchange|vhost|group|transaction):[^\s,]+)$/
const kindsInVhosts = ['queue', 'topic', 'exchange'] as const

/** @param text as `allow publish,consume queue:orders.*,topic:logs/** from 10.0.0.0/8,127.0.0.1` @throws MillraceError `bad_request` */
export function parseRule(text: string): Rule {
  const [effect, actionList, resourceList, from, hostList, ...rest] = text.trim().split(/\s+/)
  const hasForm = actionList !== undefined && resourceList !== undefined && rest.length === 0
  const hasHosts = from === 'from' && hostList !== undefined
  if ((effect !== 'allow' && effect !== 'deny') || !hasForm || (from !== undefined && !hasHosts)) throw wrong(text, FORM)
  const resources = resourceList.split(',')
  return {
    effect,
    resources,
    hosts: hostList?.split(',').map((host) => {
      const pattern = compileHost(host)
      if (pattern !== undefined) return pattern
      throw wrong(text, `${JSON.stringify(host)} is neither an IP address nor a network such as 10.0.0.0/8`)
    }),
    actions: new Set(actionList.split(',').flatMap((word) => actionsOf(word, text))),
    patterns: resources.map((pattern) => {
      if (pattern.length <= PATTERN_LENGTH_MAX && resource.test(pattern)) return compiled(pattern, text)
      throw wrong(
        text,
        `${JSON.stringify(pattern)} is no resource: there are queue:NAME, topic:NAME, topic:NAME/SUBSCRIPTION, exchange:NAME, vhost:NAME, group:NAME, transaction:ID, broker and ** for all; * in a name stands for any characters`,
      )
    }),
  }
}

function compiled(pattern: string, rule: string): ResourcePattern {
  try {
    return compilePattern(pattern)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw wrong(rule, `in ${JSON.stringify(pattern)} a % does not begin a percent-encoded character: write %25 for it`)
  }
}

function actionsOf(word: string, text: string): readonly Action[] {
  if (word === 'all') return actions
  if (word === 'define') return ['define', 'create']
  const action = actions.find((each) => each === word)
  if (action !== undefined) return [action]
  const near = nearestName(word, words)
  throw wrong(
    text,
    `${JSON.stringify(word)} is no action: there are ${words.join(', ')}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
  )
}

function wrong(text: string, why: string): MillraceError {
  return new MillraceError('bad_request', `The rule ${JSON.stringify(text.slice(0, 200))} is not valid: ${why}`)
}

/** What rules say of an action. Undefined where they say nothing, which is a no unless something else allows it. */
export type Verdict = 'allow' | 'deny' | undefined

/** One denial outweighs all that allows. @param address of the peer who asks; rules for some hosts count for no other */
export function verdictOf(rules: readonly Rule[], action: Action, name: string, address = ''): Verdict {
  let verdict: Verdict
  for (const rule of rules) {
    if (!rule.actions.has(action) || !rule.patterns.some((matches) => matches(name)) || !countsAt(rule, address)) continue
    if (rule.effect === 'deny') return 'deny'
    verdict = 'allow'
  }
  return verdict
}

/** The rules as they would count at an address that suits best: what denies at some addresses alone may be elsewhere. */
export function fromSomewhere(rules: readonly Rule[]): readonly Rule[] {
  return rules
    .filter(({ effect, hosts }) => effect === 'allow' || hosts === undefined)
    .map((rule) => ({ ...rule, hosts: undefined }))
}

function countsAt({ hosts }: Rule, address: string): boolean {
  if (hosts === undefined) return true
  const host = hostOf(address)
  return hosts.some((matches) => matches(host))
}

/** Whether there may be a resource of the kind for which `verdictOf` allows: something is allowed, and no denial covers all. */
export function verdictSomewhere(
  rules: readonly Rule[],
  action: Action,
  kind: 'topic' | 'queue' | 'group',
  address = '',
): Verdict {
  const about = rules.filter((rule) => rule.actions.has(action) && countsAt(rule, address))
  const all = ['**', `${kind}:*`, `${kind}:**`]
  if (about.some(({ effect, resources }) => effect === 'deny' && resources.some((each) => all.includes(each)))) return 'deny'
  const isAllowed = about.some(
    ({ effect, resources }) => effect === 'allow' && resources.some((each) => each === '**' || each.startsWith(`${kind}:`)),
  )
  return isAllowed ? 'allow' : undefined
}

/** Whether a rule allows anything in a virtual host. In the default one, whose names have no mark, that is any rule. */
export function reachesVhost(rules: readonly Rule[], vhost: string): boolean {
  const prefix = scopePrefix(vhost)
  const allowing = rules.filter(({ effect }) => effect === 'allow')
  if (prefix === undefined) return allowing.length > 0
  const prefixes = kindsInVhosts.map((kind) => resourceOf(kind, prefix))
  return allowing.some(({ resources }) => resources.some((text) => prefixes.some((each) => matchesBelow(text, each))))
}
