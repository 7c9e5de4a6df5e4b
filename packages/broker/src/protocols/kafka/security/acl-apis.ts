import { MillraceError } from '../../../base/errors.ts'
import { EVERYONE, type UserInfo } from '../../security.ts'
import { permit } from '../access.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import { createAcls, deleteAcls, describeAcls } from '../messages/security.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'
import { type Acl, aclsOf, LITERAL, ruleOf, withoutAcls } from './acl-rules.ts'

type Filter = Decoded<typeof deleteAcls.request>['filters'][number]
type Creation = Decoded<typeof createAcls.request>['creations'][number]

const ANY = 1
const MATCH = 2
const PRINCIPAL = /^User:(.+)$/
/** Kafka's name for `everyone`. */
const ALL_USERS = '*'

/** @throws KafkaError CLUSTER_AUTHORIZATION_FAILED, SECURITY_DISABLED */
function checkAccess(client: Client): void {
  permit(client, 'administer', 'broker')
  if (client.context.security.users.list().length > 0) return
  throw new KafkaError(errors.SECURITY_DISABLED, 'the broker has no users, and everybody may do everything')
}

// ---- describe -----------------------------------------------------------------------------------------------------------

export const describeAclsApi: ServedApi = serve(describeAcls, (filter, _, client) => {
  try {
    checkAccess(client)
    const matches = matcherOf(filter)
    const resources = new Map<string, DescribedResource>()
    for (const { name, rules } of client.context.security.users.list()) {
      const principal = principalOf(name)
      for (const acl of rules.flatMap(aclsOf)) {
        if (!isAbout(filter, principal) || !matches(acl)) continue
        const { resourceType, resourceName, patternType, operation, permissionType, host } = acl
        const key = `${resourceType} ${patternType} ${resourceName}`
        let resource = resources.get(key)
        if (resource === undefined) resources.set(key, (resource = { resourceType, resourceName, patternType, acls: [] }))
        resource.acls.push({ principal, host, operation, permissionType })
      }
    }
    return { ...success, resources: [...resources.values()] }
  } catch (error) {
    return { ...failure(error), resources: [] }
  }
})

interface DescribedResource extends Pick<Acl, 'resourceType' | 'resourceName' | 'patternType'> {
  readonly acls: { principal: string; host: string; operation: number; permissionType: number }[]
}

function isAbout({ principalFilter }: Filter, principal: string): boolean {
  return principalFilter === null || principalFilter === principal
}

/** @throws KafkaError INVALID_REQUEST */
function matcherOf(filter: Filter): (acl: Acl) => boolean {
  const { resourceTypeFilter, resourceNameFilter: name, patternTypeFilter, operation, permissionType, hostFilter } = filter
  if ([resourceTypeFilter, patternTypeFilter, operation, permissionType].some((each) => each <= 0)) {
    throw new KafkaError(errors.INVALID_REQUEST, 'the filter names something that is not known')
  }
  return (acl) =>
    is(resourceTypeFilter, acl.resourceType) &&
    is(operation, acl.operation) &&
    is(permissionType, acl.permissionType) &&
    (hostFilter === null || hostFilter === acl.host) &&
    (patternTypeFilter === MATCH
      ? name === null || covers(acl, name)
      : is(patternTypeFilter, acl.patternType) && (name === null || name === acl.resourceName))
}

function is(wanted: number, value: number): boolean {
  return wanted === ANY || wanted === value
}

function covers({ patternType, resourceName }: Acl, name: string): boolean {
  if (patternType === LITERAL) return resourceName === name || resourceName === '*'
  return name.startsWith(resourceName)
}

function principalOf(user: string): string {
  return `User:${user === EVERYONE ? ALL_USERS : user}`
}

// ---- create -------------------------------------------------------------------------------------------------------------

export const createAclsApi: ServedApi = serve(createAcls, ({ creations }, _, client) => {
  const results: (ReturnType<typeof failure> | typeof success)[] = []
  const wanted = new Map<string, { readonly rules: string[]; readonly places: number[] }>()
  for (const [place, creation] of creations.entries()) {
    results.push(success)
    try {
      checkAccess(client)
      const user = userOf(creation)
      const rule = ruleOf({ ...creation, patternType: creation.resourcePatternType })
      const already = wanted.get(user) ?? { rules: [], places: [] }
      wanted.set(user, { rules: [...already.rules, rule], places: [...already.places, place] })
    } catch (error) {
      results[place] = failure(error)
    }
  }
  for (const [user, { rules, places }] of wanted) {
    try {
      addRules(client, user, rules)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      // One that is wrong takes none of the others with it.
      for (const [n, place] of places.entries()) results[place] = added(client, user, rules[n]!)
    }
  }
  return { results }
})

/** @throws KafkaError INVALID_REQUEST */
function userOf({ principal }: Creation): string {
  const name = PRINCIPAL.exec(principal)?.[1]
  if (name === undefined)
    throw new KafkaError(errors.INVALID_REQUEST, `${JSON.stringify(principal)} is not of the form User:NAME`)
  return name === ALL_USERS ? EVERYONE : name
}

function added(client: Client, user: string, rule: string): ReturnType<typeof failure> | typeof success {
  try {
    addRules(client, user, [rule])
    return success
  } catch (error) {
    return failure(error)
  }
}

/** Whoever has rules is a user; one who did not exist cannot log in with a password before there is one. */
function addRules({ context }: Client, user: string, rules: readonly string[]): void {
  const { users } = context.security
  const existing = find(users.list(), user)
  const all = [...new Set([...(existing?.rules ?? []), ...rules])]
  if (existing === undefined) users.create({ name: user, rules: all })
  else users.update(user, { rules: all })
}

function find(users: readonly UserInfo[], name: string): UserInfo | undefined {
  return users.find((user) => user.name === name)
}

// ---- delete -------------------------------------------------------------------------------------------------------------

export const deleteAclsApi: ServedApi = serve(deleteAcls, ({ filters }, _, client) => ({
  filterResults: filters.map((filter) => {
    try {
      checkAccess(client)
      const matches = matcherOf(filter)
      const users = client.context.security.users.list().filter(({ name }) => isAbout(filter, principalOf(name)))
      return { ...success, matchingAcls: users.flatMap((user) => removeFrom(client, user, matches)) }
    } catch (error) {
      return { ...failure(error), matchingAcls: [] }
    }
  }),
}))

type MatchingAcl = ReturnType<typeof failure> & Acl & { readonly principal: string }

function removeFrom({ context }: Client, { name, rules }: UserInfo, matches: (acl: Acl) => boolean): MatchingAcl[] {
  const removals = rules.map((rule) => withoutAcls(rule, matches))
  const removed = removals.flatMap((removal) => removal.removed)
  const kept = removals.flatMap((removal) => removal.kept)
  const answer = (acls: readonly Acl[], told: ReturnType<typeof failure> | typeof success): MatchingAcl[] =>
    acls.map((acl) => ({ ...acl, principal: principalOf(name), ...told }) as MatchingAcl)
  const why = `it is a part of a rule that says more: see \`millrace user set ${name}\``
  return [
    ...answer(removed, removed.length === 0 ? success : change()),
    ...answer(kept, { errorCode: errors.POLICY_VIOLATION, errorMessage: why }),
  ]

  function change(): ReturnType<typeof failure> | typeof success {
    try {
      context.security.users.update(name, { rules: removals.flatMap((removal) => removal.rules) })
      return success
    } catch (error) {
      if (error instanceof MillraceError) return failure(error)
      throw error
    }
  }
}
