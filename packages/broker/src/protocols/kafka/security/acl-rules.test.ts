import { describe, expect, test } from 'vitest'
import { type Acl, aclsOf, ruleOf, withoutAcls } from './acl-rules.ts'

const [TOPIC, GROUP, CLUSTER, TRANSACTION] = [2, 3, 4, 5]
const [ALL, READ, WRITE, CREATE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS] = [2, 3, 4, 5, 7, 8, 10, 11]
const [DENY, ALLOW] = [2, 3]
const [LITERAL, PREFIXED] = [3, 4]

function acl(resourceType: number, resourceName: string, operation: number, more: Partial<Acl> = {}): Acl {
  return { resourceType, resourceName, operation, patternType: LITERAL, permissionType: ALLOW, host: '*', ...more }
}

describe('an ACL', () => {
  test.each([
    ['allow read topic:orders', [acl(TOPIC, 'orders', READ)]],
    ['deny publish topic:orders-*', [acl(TOPIC, 'orders-', WRITE, { permissionType: DENY, patternType: PREFIXED })]],
    ['allow create topic:*', [acl(TOPIC, '*', CREATE)]],
    ['allow consume group:**', [acl(GROUP, '*', READ)]],
    ['allow consume group:a/b**', [acl(GROUP, 'a/b', READ, { patternType: PREFIXED })]],
    ['allow publish transaction:pay-1', [acl(TRANSACTION, 'pay-1', WRITE)]],
    ['allow all broker', [acl(CLUSTER, 'kafka-cluster', ALL)]],
    ['allow administer broker', [acl(CLUSTER, 'kafka-cluster', ALTER)]],
    ['allow describe topic:t', [acl(TOPIC, 't', DESCRIBE), acl(TOPIC, 't', DESCRIBE_CONFIGS)]],
    ['allow define topic:t', [acl(TOPIC, 't', ALTER), acl(TOPIC, 't', ALTER_CONFIGS), acl(TOPIC, 't', CREATE)]],
    ['allow read topic:t from 10.0.0.7', [acl(TOPIC, 't', READ, { host: '10.0.0.7' })]],
    ['deny all group:** from 2001:db8::/32', [acl(GROUP, '*', ALL, { permissionType: DENY, host: '2001:db8::/32' })]],
  ])('and %s say the same', (rule, acls) => {
    expect(aclsOf(rule)).toEqual(acls)
    expect(ruleOf(acls[0]!)).toBe(rule)
  })

  test('is shown for each thing that a rule says, as far as ACLs can say it', () => {
    expect(aclsOf('allow publish,read topic:a,queue:b,topic:logs/all,topic:a*b')).toEqual([
      acl(TOPIC, 'a', WRITE),
      acl(TOPIC, 'a', READ),
    ])
    expect(aclsOf('allow all **').map(({ resourceType, operation }) => [resourceType, operation])).toEqual(
      [TOPIC, GROUP, CLUSTER, TRANSACTION].map((type) => [type, ALL]),
    )
  })

  test.each([
    ['a name with a space', acl(GROUP, 'my group', READ)],
    ['a name with a star', acl(TOPIC, 'a*', READ)],
    ['a prefix of everything', acl(TOPIC, '*', READ, { patternType: PREFIXED })],
    ['delegation tokens', acl(6, 'x', DESCRIBE)],
    ['what brokers do among themselves', acl(CLUSTER, 'kafka-cluster', 9)],
    ['another cluster', acl(CLUSTER, 'other', ALL)],
    ['an operation that is none', acl(TOPIC, 't', 1)],
    ['reading transactions', acl(TRANSACTION, 't', READ)],
    ['two hosts at once', acl(TOPIC, 't', READ, { host: '10.0.0.7,10.0.0.8' })],
  ])('of %s cannot be said', (_, wrong) => {
    expect(() => ruleOf(wrong)).toThrow(/cannot say/)
  })
})

const out = (rule: string, operation: number, name?: string): ReturnType<typeof withoutAcls> =>
  withoutAcls(rule, (each) => each.operation === operation && (name === undefined || each.resourceName === name))

describe('what is taken out of a rule', () => {
  test('leaves the rest', () => {
    expect(out('allow publish,read topic:a,topic:b', READ, 'a').rules).toEqual([
      'allow publish topic:a',
      'allow publish,read topic:b',
    ])
    expect(out('allow publish,read topic:a,topic:b', READ).rules).toEqual(['allow publish topic:a,topic:b'])
    expect(out('allow read topic:a', READ)).toMatchObject({ rules: [], removed: [acl(TOPIC, 'a', READ)] })
    expect(out('allow read queue:q,topic:a', READ).rules).toEqual(['allow read queue:q'])
    expect(out('allow publish topic:a', READ)).toMatchObject({ rules: ['allow publish topic:a'], removed: [], kept: [] })
  })

  test('is what is said for that host', () => {
    const rule = 'allow publish,read topic:a,topic:b from 10.0.0.1,10.0.0.2'
    expect(aclsOf(rule)).toHaveLength(8)
    const without = (host: string, name?: string): readonly string[] =>
      withoutAcls(rule, (each) => each.host === host && (name === undefined || each.resourceName === name)).rules
    expect(without('10.0.0.1')).toEqual(['allow publish,read topic:a,topic:b from 10.0.0.2'])
    expect(without('10.0.0.1', 'a')).toEqual([
      'allow publish,read topic:b from 10.0.0.1',
      'allow publish,read topic:a,topic:b from 10.0.0.2',
    ])
    expect(out(rule, READ).rules).toEqual(['allow publish topic:a,topic:b from 10.0.0.1,10.0.0.2'])
    expect(without('10.0.0.3')).toEqual([rule])
  })

  test('is all that goes with it', () => {
    expect(out('allow describe topic:t', DESCRIBE).removed).toEqual([
      acl(TOPIC, 't', DESCRIBE),
      acl(TOPIC, 't', DESCRIBE_CONFIGS),
    ])
  })

  test('is no part of everything', () => {
    const part = withoutAcls('allow all **', ({ resourceType }) => resourceType === TOPIC)
    expect(part).toEqual({ rules: ['allow all **'], removed: [], kept: [acl(TOPIC, '*', ALL)] })
    expect(out('allow all **', ALL).rules).toEqual([])
  })
})
