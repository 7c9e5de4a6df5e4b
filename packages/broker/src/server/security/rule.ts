import { MillraceError } from '../../base/errors.ts'
import { scopePrefix } from '../../base/scoped-names.ts'
import { type Action, actions } from '../../protocols/session.ts'
import { nearestName } from '../config/nearest-name.ts'
import { compilePattern, matchesBelow, PATTERN_LENGTH_MAX, type ResourcePattern } from './resource-pattern.ts'

/** What a user may do, or may not: a denial wins over whatever allows. */
export interface Rule {
  readonly effect: 'allow' | 'deny'
  readonly actions: ReadonlySet<Action>
  readonly patterns: readonly ResourcePattern[]
  readonly resources: readonly string[]
}

const FORM = 'write `allow ACTIONS RESOURCES` or `deny ACTIONS RESOURCES`, for example `allow publish,consume queue:orders.*`'
const words: readonly string[] = [...actions, 'all']
const resource = /^(\*\*|broker|(queue|topic|exchange|vhost|group|transaction):[^\s,]+)$/
const kindsInVhosts = ['queue', 'topic', 'exchange']

/** @param text as `allow publish,consume queue:orders.*,topic:logs/**` @throws MillraceError `bad_request` */
export function parseRule(text: string): Rule {
  const [effect, actionList, resourceList, ...rest] = text.trim().split(/\s+/)
  if ((effect !== 'allow' && effect !== 'deny') || actionList === undefined || resourceList === undefined || rest.length > 0)
    throw wrong(text, FORM)
  const resources = resourceList.split(',')
  return {
    effect,
    resources,
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

/** One denial outweighs all that allows. */
export function verdictOf(rules: readonly Rule[], action: Action, name: string): Verdict {
  let verdict: Verdict
  for (const rule of rules) {
    if (!rule.actions.has(action) || !rule.patterns.some((matches) => matches(name))) continue
    if (rule.effect === 'deny') return 'deny'
    verdict = 'allow'
  }
  return verdict
}

/** Whether there may be a resource of the kind for which `verdictOf` allows: something is allowed, and no denial covers all. */
export function verdictSomewhere(rules: readonly Rule[], action: Action, kind: 'topic' | 'queue' | 'group'): Verdict {
  const about = rules.filter((rule) => rule.actions.has(action))
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
  const prefixes = kindsInVhosts.map((kind) => `${kind}:${prefix}`)
  return allowing.some(({ resources }) => resources.some((text) => prefixes.some((each) => matchesBelow(text, each))))
}
