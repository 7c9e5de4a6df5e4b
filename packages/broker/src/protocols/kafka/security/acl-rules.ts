/**
 * Access control lists as the rules of users, and back. Kafka tells some things apart that rules do not: what one rule says is then
 * more than one ACL, and is shown, made and taken away as such. Rules that no ACL says (about queues, or `a*b`) are not shown.
 */
import {
  ALL,
  ALTER,
  ALTER_CONFIGS,
  CREATE,
  DELETE,
  DESCRIBE,
  DESCRIBE_CONFIGS,
  IDEMPOTENT_WRITE,
  READ,
  WRITE,
} from '../acl-operations.ts'
import { errors, KafkaError } from '../errors.ts'

export interface Acl {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly operation: number
  readonly permissionType: number
  /** `*`, an address, or a network as `10.0.0.0/8`. */
  readonly host: string
}

export const ANY_HOST = '*'

const DENY = 2
const ALLOW = 3

export const LITERAL = 3
const PREFIXED = 4

const CLUSTER_NAME = 'kafka-cluster'
/** What may be in a rule; whether it is an address, the rules know. */
const HOST = /^[^\s,]+$/

interface Kind {
  readonly type: number
  /** What the words of rules stand for. */
  readonly operations: Readonly<Record<string, readonly number[]>>
  /** What names may be in rules. */
  readonly name: RegExp
  /** Stands for the rest of a name. */
  readonly rest: string
}

const kinds: Readonly<Record<string, Kind>> = {
  topic: {
    type: 2,
    operations: {
      all: [ALL],
      read: [READ],
      publish: [WRITE],
      create: [CREATE],
      delete: [DELETE],
      define: [ALTER, ALTER_CONFIGS, CREATE],
      describe: [DESCRIBE, DESCRIBE_CONFIGS],
    },
    name: /^[^\s,*/]+$/,
    rest: '*',
  },
  group: {
    type: 3,
    operations: { all: [ALL], consume: [READ], delete: [DELETE], describe: [DESCRIBE] },
    name: /^[^\s,*]+$/,
    rest: '**',
  },
  broker: {
    type: 4,
    operations: {
      all: [ALL],
      create: [CREATE],
      administer: [ALTER],
      publish: [IDEMPOTENT_WRITE],
      define: [ALTER_CONFIGS, CREATE],
      describe: [DESCRIBE, DESCRIBE_CONFIGS],
    },
    name: /^kafka-cluster$/,
    rest: '',
  },
  transaction: {
    type: 5,
    operations: { all: [ALL], publish: [WRITE], describe: [DESCRIBE] },
    name: /^[^\s,*]+$/,
    rest: '**',
  },
}

/** One action on one pattern from one host, and the ACLs that say the same together. */
interface Atom {
  readonly action: string
  readonly resource: string
  readonly host: string
  readonly acls: readonly Acl[]
}

interface Parts {
  readonly effect: string
  readonly atoms: readonly Atom[]
}

/** A rule of a user, taken apart. */
function partsOf(rule: string): Parts {
  const [effect = '', actions = '', resources = '', , hosts = ANY_HOST] = rule.trim().split(/\s+/)
  const permissionType = effect === 'deny' ? DENY : ALLOW
  const atoms = hosts.split(',').flatMap((host) =>
    resources.split(',').flatMap((resource) =>
      actions.split(',').map((action) => {
        const acls = patternsOf(resource).flatMap(({ kind, ...pattern }) =>
          (kind.operations[action] ?? []).map((operation) => ({
            resourceType: kind.type,
            ...pattern,
            operation,
            permissionType,
            host,
          })),
        )
        return { action, resource, host, acls }
      }),
    ),
  )
  return { effect, atoms }
}

interface Pattern {
  readonly kind: Kind
  readonly resourceName: string
  readonly patternType: number
}

function patternsOf(resource: string): readonly Pattern[] {
  if (resource === '**') {
    return Object.entries(kinds).map(([name, kind]) => ({
      kind,
      resourceName: name === 'broker' ? CLUSTER_NAME : '*',
      patternType: LITERAL,
    }))
  }
  if (resource === 'broker') return [{ kind: kinds['broker']!, resourceName: CLUSTER_NAME, patternType: LITERAL }]
  const [kindName = ''] = resource.split(':', 1)
  const kind = kinds[kindName]
  const text = resource.slice(kindName.length + 1)
  if (kind === undefined) return []
  const start = text.replace(/\*+$/, '')
  if (start === '') return [{ kind, resourceName: '*', patternType: LITERAL }]
  if (!kind.name.test(start)) return []
  return [{ kind, resourceName: start, patternType: start === text ? LITERAL : PREFIXED }]
}

export function aclsOf(rule: string): readonly Acl[] {
  return partsOf(rule).atoms.flatMap(({ acls }) => acls)
}

/** @throws KafkaError INVALID_REQUEST for what no rule says */
export function ruleOf({ resourceType, resourceName, patternType, operation, permissionType, host }: Acl): string {
  const [kindName, kind] = Object.entries(kinds).find(([, { type }]) => type === resourceType) ?? []
  if (kindName === undefined || kind === undefined) throw unsayable(`resources of the type ${resourceType}`)
  // The narrowest word: `create` is a part of `define`.
  const [action] =
    Object.entries(kind.operations)
      .filter(([, operations]) => operations.includes(operation))
      .toSorted(([, a], [, b]) => a.length - b.length)[0] ?? []
  if (action === undefined) throw unsayable(`the operation ${operation} on resources of the type ${resourceType}`)
  if (permissionType !== ALLOW && permissionType !== DENY) throw unsayable(`the permission ${permissionType}`)
  if (!HOST.test(host)) throw unsayable(`the host ${JSON.stringify(host)}`)
  const effect = permissionType === ALLOW ? 'allow' : 'deny'
  return `${effect} ${action} ${resourceOf(kindName, kind, resourceName, patternType)}${fromOf([host])}`
}

/** The end of a rule for some hosts. */
function fromOf(hosts: readonly string[]): string {
  return hosts.includes(ANY_HOST) ? '' : ` from ${hosts.join(',')}`
}

function resourceOf(kindName: string, kind: Kind, name: string, patternType: number): string {
  if (patternType === LITERAL && name === '*' && kind.rest !== '') return `${kindName}:${kind.rest}`
  if (!kind.name.test(name)) throw unsayable(`the name ${JSON.stringify(name)}`)
  if (kindName === 'broker' && patternType === LITERAL) return kindName
  if (patternType === LITERAL) return `${kindName}:${name}`
  if (patternType === PREFIXED && kind.rest !== '') return `${kindName}:${name}${kind.rest}`
  throw unsayable(`the pattern type ${patternType}`)
}

function unsayable(what: string): KafkaError {
  return new KafkaError(errors.INVALID_REQUEST, `the rules of this broker cannot say anything about ${what}`)
}

export interface Removal {
  /** In place of the rule. */
  readonly rules: readonly string[]
  readonly removed: readonly Acl[]
  /** What matches and is less than what the rule says in one, as a part of `**`. */
  readonly kept: readonly Acl[]
}

/** Takes out of a rule what matches. */
export function withoutAcls(rule: string, matches: (acl: Acl) => boolean): Removal {
  const { effect, atoms } = partsOf(rule)
  const removed: Acl[] = []
  const kept: Acl[] = []
  const left: Atom[] = []
  for (const atom of atoms) {
    const { resource, acls } = atom
    const found = acls.filter(matches)
    const isWhole =
      found.length > 0 &&
      (resource !== '**' ||
        new Set(found.map(({ resourceType }) => resourceType)).size ===
          new Set(acls.map(({ resourceType }) => resourceType)).size)
    if (isWhole) removed.push(...acls)
    else {
      kept.push(...found)
      left.push(atom)
    }
  }
  return { rules: removed.length === 0 ? [rule] : rulesOf(effect, left), removed, kept }
}

/** As few rules as say the same: actions on one resource from one host together, then resources, then hosts. */
function rulesOf(effect: string, atoms: readonly Atom[]): readonly string[] {
  const actions = gathered(atoms.map(({ action, resource, host }) => [`${resource} ${host}`, action]))
  const resources = gathered(
    [...actions].map(([key, list]) => {
      const [resource, host] = key.split(' ') as [string, string]
      return [`${list.join(',')} ${host}`, resource]
    }),
  )
  const hosts = gathered(
    [...resources].map(([key, list]) => {
      const [said, host] = key.split(' ') as [string, string]
      return [`${said} ${list.join(',')}`, host]
    }),
  )
  return [...hosts].map(([said, list]) => `${effect} ${said}${fromOf(list)}`)
}

function gathered(pairs: readonly (readonly [key: string, value: string])[]): Map<string, string[]> {
  const all = new Map<string, string[]>()
  for (const [key, value] of pairs) all.set(key, [...(all.get(key) ?? []), value])
  return all
}
