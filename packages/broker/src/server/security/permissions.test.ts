import { createHash, randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { TopicPermission, VhostPermission } from '../../protocols/permissions.ts'
import type { Action, Peer } from '../../protocols/session.ts'
import { BrokerSecurity } from './broker-security.ts'
import { FailedLogins } from './failed-logins.ts'
import { noUsers, type StoredUsers } from './user-file.ts'
import { Users } from './users.ts'

const peer: Peer = { address: '127.0.0.1:5', transport: 'tcp', secure: false }

let saved: StoredUsers
let users: Users
let security: BrokerSecurity

beforeEach(() => {
  users = new Users(noUsers(), (next) => (saved = next))
  security = new BrokerSecurity(users, new FailedLogins(() => 0), { allowCleartext: false })
  users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
})

const code = (run: () => unknown): string => {
  try {
    run()
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}
const may = (user: string, action: Action, resource: string): boolean =>
  code(() => security.authorize({ user, peer }, action, resource)) === 'ok'
const mayKey = (exchange: string, key: string, access: 'write' | 'read', clientId?: string): boolean =>
  code(() =>
    security.authorizeTopic({ user: 'ann', peer, ...(clientId === undefined ? {} : { clientId }) }, exchange, key, access),
  ) === 'ok'

const of = (vhost: string, configure: string, write: string, read: string): VhostPermission => ({ vhost, configure, write, read })

const keys = (exchange: string, write: string, read: string, vhost = '/'): TopicPermission => ({ vhost, exchange, write, read })

const hash = (algorithm: 'sha256' | 'sha512', password: string): string => {
  const salt = randomBytes(4)
  return Buffer.concat([salt, createHash(algorithm).update(salt).update(password).digest()]).toString('base64')
}
const login = (password: string): string => code(() => security.login({ user: 'ann', password }, peer))

describe('permissions in virtual hosts', () => {
  beforeEach(() => {
    users.create({
      name: 'ann',
      password: 'secret',
      permissions: [of('/', '^ann-', '^(ann-|shared$)', 'shared'), of('prod', '', 'amq.default', '.*')],
    })
  })

  it.each<[Action, string, boolean]>([
    ['create', 'queue:ann-1', true],
    ['define', 'exchange:ann-x', true],
    ['delete', 'topic:ann-1', true],
    ['create', 'queue:shared', false],
    ['create', 'queue:x-ann-', false],
    ['publish', 'exchange:shared', true],
    ['publish', 'exchange:shared2', false],
    ['publish', 'queue:ann-q', true],
    ['publish', 'queue:other', false],
    ['publish', 'exchange:', false],
    ['consume', 'queue:my-shared-queue', true],
    ['read', 'topic:shared', true],
    ['read', 'topic:shared/by-me', true],
    ['read', 'topic:prod::t/by-me', true],
    ['read', 'topic:test::shared', false],
    ['consume', 'queue:ann-1', false],
    ['describe', 'queue:ann-1', true],
    ['describe', 'queue:other', false],
    ['connect', 'vhost:/', true],
    ['describe', 'vhost:/', true],
    ['define', 'vhost:/', false],
    ['connect', 'vhost:test', false],
    ['create', 'queue:prod::ann-1', false],
    ['create', 'queue:prod::', true],
    ['consume', 'queue:prod::anything', true],
    ['consume', 'queue:::prod::anything', false],
    ['publish', 'queue:prod::anything', true],
    ['publish', 'exchange:prod::', true],
    ['publish', 'exchange:prod::anything', false],
    ['consume', 'queue:test::shared', false],
    ['consume', 'group:shared', false],
    ['administer', 'broker', false],
    ['describe', 'broker', false],
  ])('%s %s: %s', (action, resource, expected) => {
    expect(may('ann', action, resource)).toBe(expected)
  })

  it('count beside rules, and a rule that denies wins', () => {
    users.update('ann', { rules: ['allow publish queue:extra', 'deny all queue:ann-secret'] })
    expect(may('ann', 'publish', 'queue:extra')).toBe(true)
    expect(may('ann', 'publish', 'queue:ann-1')).toBe(true)
    expect(may('ann', 'publish', 'queue:ann-secret')).toBe(false)
    users.update('ann', { rules: ['deny connect vhost:prod'] })
    expect(may('ann', 'connect', 'vhost:prod')).toBe(false)
  })

  it('are also those of roles and of everyone', () => {
    users.create({ name: 'writers', permissions: [of('/', '', '^w-', '')] })
    users.create({ name: 'everyone', permissions: [of('/', '', '', '^all$')] })
    users.update('ann', { roles: ['writers'] })
    expect(['w-1', 'ann-1'].map((name) => may('ann', 'publish', `queue:${name}`))).toEqual([true, true])
    expect(may('ann', 'consume', 'queue:all')).toBe(true)
    expect(may('root', 'consume', 'queue:all')).toBe(true)
  })

  it('of one virtual host are replaced and withdrawn, and deleted virtual hosts forgotten', () => {
    users.permit('ann', of('/', '', '', '^only$'))
    expect([may('ann', 'consume', 'queue:only'), may('ann', 'consume', 'queue:shared')]).toEqual([true, false])
    users.withdraw('ann', '/')
    users.withdraw('ann', '/')
    expect(may('ann', 'connect', 'vhost:/')).toBe(false)
    users.permitTopic('ann', { vhost: 'prod', exchange: 'x', write: 'a', read: 'a' })
    users.forgetVhost('prod')
    expect(users.get('ann')).toMatchObject({ permissions: [], topicPermissions: [] })
    expect(code(() => users.permit('bob', of('/', '', '', '')))).toBe('not_found')
  })

  it.each<[Action, string, boolean]>([
    ['read', 'topic:%2Feu::in', true],
    ['consume', 'topic:%2Feu::in/by-me', true],
    ['read', 'topic:%2Feu::out', false],
    ['read', 'topic:eu::in', false],
  ])('%s %s, where the virtual host has a slash: %s', (action, resource, allowed) => {
    users.create({ name: 'bob', password: 'secret', permissions: [of('/eu', '', '', '^in$')] })
    expect(may('bob', action, resource)).toBe(allowed)
  })

  it('are refused where they are none', () => {
    expect(code(() => users.permit('ann', of('/', '(', '', '')))).toBe('bad_request')
    expect(code(() => users.permit('ann', of('a::b', '', '', '')))).toBe('bad_request')
    expect(code(() => users.permitTopic('ann', { vhost: '/', exchange: 'x', write: '(?<=a)', read: '' }))).toBe('bad_request')
    expect(users.get('ann').permissions).toHaveLength(2)
  })

  it('say where there may be something', () => {
    expect(security.mayAnywhere({ user: 'ann', peer }, 'consume', 'queue')).toBe(true)
    expect(security.mayAnywhere({ user: 'ann', peer }, 'consume', 'group')).toBe(false)
    users.update('ann', { rules: ['deny all queue:**'] })
    expect(security.mayAnywhere({ user: 'ann', peer }, 'consume', 'queue')).toBe(false)
  })
})

describe('virtual hosts for those who have rules only', () => {
  it('are those that a rule reaches', () => {
    users.create({ name: 'ann', rules: ['allow publish queue:prod::orders'] })
    expect(['/', 'prod', 'test'].map((vhost) => may('ann', 'connect', `vhost:${vhost}`))).toEqual([true, true, false])
    users.update('ann', { rules: [] })
    expect(may('ann', 'connect', 'vhost:/')).toBe(false)
  })
})

describe('tags', () => {
  it.each<[string, Action, string, boolean]>([
    ['administrator', 'administer', 'broker', true],
    ['administrator', 'define', 'vhost:prod', true],
    ['administrator', 'connect', 'vhost:prod', false],
    ['administrator', 'publish', 'queue:q', false],
    ['monitoring', 'describe', 'broker', true],
    ['monitoring', 'describe', 'vhost:prod', true],
    ['monitoring', 'define', 'vhost:/', false],
    ['policymaker', 'define', 'vhost:/', true],
    ['policymaker', 'define', 'vhost:prod', false],
    ['policymaker', 'describe', 'broker', false],
    ['management', 'define', 'vhost:/', false],
    ['management', 'describe', 'vhost:/', true],
    ['colleague', 'describe', 'broker', false],
  ])('%s lets %s %s: %s', (tag, action, resource, expected) => {
    users.create({ name: 'ann', tags: [tag], permissions: [of('/', '', '', '')] })
    expect(may('ann', action, resource)).toBe(expected)
  })

  it('make an administrator, of whom one must stay', () => {
    users.create({ name: 'ann', password: 'x', tags: ['administrator'] })
    users.delete('root')
    expect(code(() => users.update('ann', { tags: ['monitoring'] }))).toBe('in_use')
  })
})

describe('topic permissions', () => {
  it('say which keys may be used in an exchange, and nothing of others', () => {
    users.create({ name: 'ann', topicPermissions: [keys('amq.topic', '^ann\\.', '^news\\.'), keys('x', '', '.*', 'prod')] })
    expect(mayKey('amq.topic', 'ann.1', 'write')).toBe(true)
    expect(mayKey('amq.topic', 'bob.1', 'write')).toBe(false)
    expect(mayKey('amq.topic', 'news.1', 'read')).toBe(true)
    expect(mayKey('amq.topic', 'ann.1', 'read')).toBe(false)
    expect(mayKey('other', 'bob.1', 'write')).toBe(true)
    expect(mayKey('prod::amq.topic', 'bob.1', 'write')).toBe(true)
    expect(mayKey('prod::x', 'a', 'write')).toBe(false)
    users.withdrawTopic('ann', '/', 'amq.topic')
    expect(mayKey('amq.topic', 'bob.1', 'write')).toBe(true)
    users.withdrawTopic('ann', 'prod')
    expect(mayKey('prod::x', 'a', 'write')).toBe(true)
  })

  it('know the default exchange by either name', () => {
    users.create({ name: 'ann', topicPermissions: [keys('', '^a$', ''), keys('amq.default', '^b$', '', 'prod')] })
    expect([mayKey('', 'a', 'write'), mayKey('', 'b', 'write')]).toEqual([true, false])
    expect([mayKey('prod::', 'a', 'write'), mayKey('prod::', 'b', 'write')]).toEqual([false, true])
  })

  it('put names in for variables as they are', () => {
    const pattern = '^{vhost}-{username}-{client_id}$'
    users.create({ name: 'ann', topicPermissions: [keys('x', pattern, '', 'a.b')] })
    expect(mayKey('a.b::x', 'a.b-ann-c1', 'write', 'c1')).toBe(true)
    expect(mayKey('a.b::x', 'a.b-ann-c2', 'write', 'c1')).toBe(false)
    expect(mayKey('a.b::x', 'axb-ann-c1', 'write', 'c1')).toBe(false)
    expect(mayKey('a.b::x', 'a.b-ann-anything', 'write', '.*')).toBe(false)
    expect(mayKey('a.b::x', 'a.b-ann-.*$&', 'write', '.*$&')).toBe(true)
    expect(mayKey('a.b::x', 'a.b-ann-', 'write')).toBe(false)
    for (let n = 0; n < 500; n++) expect(mayKey('a.b::x', `a.b-ann-c${n}`, 'write', `c${n}`)).toBe(true)
  })
})

describe('passwords that RabbitMQ hashed', () => {
  it('are known in clear', () => {
    // Of RabbitMQ's documentation: the password is `test12`.
    users.create({ name: 'ann', passwordHash: { algorithm: 'sha256', hash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR' } })
    expect([login('test12'), login('test12'), login('test13'), login('')]).toEqual(['ok', 'ok', 'unauthorized', 'unauthorized'])
    users.update('ann', { passwordHash: { algorithm: 'sha512', hash: hash('sha512', 'größe') } })
    expect([login('größe'), login('test12')]).toEqual(['ok', 'unauthorized'])
    expect(users.get('ann').password).toBe(true)
    expect(code(() => security.begin('PLAIN', peer).respond(Buffer.from('\0ann\0größe')))).toBe('ok')
  })

  it('give way to other passwords, and take their place', () => {
    users.create({ name: 'ann', passwordHash: { algorithm: 'sha256', hash: hash('sha256', 'old') } })
    users.update('ann', { password: 'new' })
    expect([login('old'), login('new')]).toEqual(['unauthorized', 'ok'])
    users.update('ann', { passwordHash: { algorithm: 'sha256', hash: hash('sha256', 'newer') } })
    expect([login('new'), login('newer')]).toEqual(['unauthorized', 'ok'])
  })

  it.each(['', 'abc', Buffer.alloc(35).toString('base64'), `${Buffer.alloc(36).toString('base64')}!`])('are not %j', (text) => {
    expect(code(() => users.create({ name: 'ann', passwordHash: { algorithm: 'sha256', hash: text } }))).toBe('bad_request')
  })
})

describe('definitions of users', () => {
  it('make the same users elsewhere, with passwords', () => {
    users.create({ name: 'ann', password: 'secret', tags: ['management'], limits: { maxConnections: 3 } })
    users.permit('ann', of('/', 'a', 'b', 'c'))
    const elsewhere = new Users(noUsers(), () => {})
    const exported = JSON.parse(JSON.stringify(users.definitions())) as ReturnType<Users['definitions']>
    elsewhere.define(exported)
    elsewhere.define(exported)
    expect(elsewhere.definitions()).toEqual(exported)
    const there = new BrokerSecurity(elsewhere, new FailedLogins(() => 0), { allowCleartext: false })
    expect(there.login({ user: 'ann', password: 'secret' }, peer)).toBe('ann')
  })

  it('add to permissions, keep tokens, and are taken all or none', () => {
    users.create({ name: 'ann', password: 'x', permissions: [of('/', 'a', 'a', 'a')] })
    const { token } = users.createToken('ann', '')
    users.define([{ name: 'ann', tags: ['x'], permissions: [of('prod', 'p', 'p', 'p')] }])
    expect(users.get('ann')).toMatchObject({ tags: ['x'], password: true, permissions: [{ vhost: '/' }, { vhost: 'prod' }] })
    expect(security.login({ token }, peer)).toBe('ann')
    const before = saved
    expect(code(() => users.define([{ name: 'new' }, { name: 'bad name' }]))).toBe('bad_request')
    expect(code(() => users.define([{ name: 'new', passwordKeys: { sha256: 1 } }]))).toBe('bad_request')
    expect([saved, security.knows('new')]).toEqual([before, false])
  })
})
