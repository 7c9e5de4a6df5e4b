import { beforeEach, describe, expect, it } from 'vitest'
import type { Peer } from '../../protocols/session.ts'
import { BrokerSecurity } from './broker-security.ts'
import { FailedLogins } from './failed-logins.ts'
import { noUsers, type StoredUsers } from './user-file.ts'
import { Users } from './users.ts'

const here: Peer = { address: '127.0.0.1:5', transport: 'tcp', secure: false }
const far: Peer = { address: '10.0.0.7:5', transport: 'tcp', secure: false }
const farTls: Peer = { ...far, secure: true }

let saved: StoredUsers | undefined
let nowMs: number
let users: Users
let security: BrokerSecurity

beforeEach(() => {
  saved = undefined
  nowMs = 1000
  users = new Users(noUsers(), (next) => (saved = next))
  security = new BrokerSecurity(users, new FailedLogins(() => nowMs), { allowCleartext: false })
})

function withUsers(): void {
  users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  users.create({ name: 'readers', rules: ['allow read topic:*'] })
  users.create({ name: 'ann', password: 'secret', rules: ['allow publish queue:a'], roles: ['readers'] })
}
const code = (run: () => unknown): string => {
  try {
    run()
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}
const may = (user: string, action: 'publish' | 'read' | 'delete', resource: string): string =>
  code(() => security.authorize({ user, peer: here }, action, resource))

const guessFrom = (address: string): string =>
  code(() => security.login({ user: 'ann', password: 'x' }, { address, transport: 'tcp', secure: true }))
const firstChallenge = (name: string): string => {
  const step = security.begin('SCRAM-SHA-256', here).respond(Buffer.from(`n,,n=${name},r=abc`))
  return Buffer.from(step.challenge)
    .toString()
    .replace(/r=[^,]*/, '')
}

describe('without users', () => {
  it('everybody may do everything, and nobody logs in', () => {
    expect(may('anonymous', 'delete', 'queue:a')).toBe('ok')
    expect(security.mechanisms(here)).toEqual([])
    expect(code(() => security.login({ user: 'a', password: 'b' }, here))).toBe('unauthorized')
  })

  it('nobody gets in where logins are required', () => {
    expect(code(() => security.unnamed({ ...here, login: 'required' }))).toBe('unauthorized')
    expect(security.unnamed({ ...here, login: 'none' })).toBe('anonymous')
  })

  it('the first one must be able to administer, and to log in', () => {
    expect(code(() => users.create({ name: 'ann', password: 'x', rules: ['allow publish **'] }))).toBe('bad_request')
    expect(code(() => users.create({ name: 'ann', rules: ['allow all **'] }))).toBe('bad_request')
    expect(code(() => users.create({ name: 'ann', password: 'x', rules: ['allow all **', 'deny administer broker'] }))).toBe(
      'bad_request',
    )
    expect(saved).toBeUndefined()
  })
})

describe('with users', () => {
  beforeEach(withUsers)

  it('what no rule of a user or its roles allows is forbidden', () => {
    expect(may('ann', 'publish', 'queue:a')).toBe('ok')
    expect(may('ann', 'read', 'topic:t')).toBe('ok')
    expect(may('ann', 'publish', 'queue:b')).toBe('forbidden')
    expect(may('nobody', 'publish', 'queue:a')).toBe('forbidden')
    expect(may('anonymous', 'read', 'topic:t')).toBe('forbidden')
    users.update('readers', { rules: [] })
    expect(may('ann', 'read', 'topic:t')).toBe('forbidden')
  })

  it('keeps neither passwords nor tokens', () => {
    const { token } = users.createToken('ann', 'laptop')
    const text = JSON.stringify(saved)
    expect(text).not.toMatch(/:"(secret|toor)"/)
    expect(text).not.toContain(token)
    expect(JSON.stringify(users.list())).not.toContain('salt')
  })

  it('knows users by password and by token', () => {
    expect(security.login({ user: 'ann', password: 'secret' }, here)).toBe('ann')
    expect(security.login({ user: 'ann', password: 'secret' }, here)).toBe('ann')
    expect(code(() => security.login({ user: 'ann', password: 'Secret' }, here))).toBe('unauthorized')
    expect(code(() => security.login({ user: 'readers', password: '' }, here))).toBe('unauthorized')
    expect(code(() => security.login({ user: 'nobody' }, here))).toBe('unauthorized')
    const { id, token } = users.createToken('ann', 'laptop')
    expect(security.login({ token }, here)).toBe('ann')
    expect(code(() => security.login({ token: `${token}x` }, here))).toBe('unauthorized')
    users.revokeToken('ann', id)
    expect(code(() => security.login({ token }, here))).toBe('unauthorized')
    users.update('ann', { password: 'other' })
    expect(code(() => security.login({ user: 'ann', password: 'secret' }, here))).toBe('unauthorized')
  })

  it('takes passwords in clear where nobody else reads them', () => {
    expect(security.mechanisms(far)).toEqual(['SCRAM-SHA-512', 'SCRAM-SHA-256'])
    expect(security.mechanisms(farTls)).toContain('PLAIN')
    expect(code(() => security.login({ user: 'ann', password: 'secret' }, far))).toBe('unauthorized')
    expect(security.login({ user: 'ann', password: 'secret' }, farTls)).toBe('ann')
    expect([far, farTls, here].map((peer) => security.isSecret(peer))).toEqual([false, true, true])
    const trusting = new BrokerSecurity(users, new FailedLogins(() => nowMs), { allowCleartext: true })
    expect(trusting.login({ user: 'ann', password: 'secret' }, far)).toBe('ann')
    expect(trusting.isSecret(far)).toBe(true)
  })

  it('makes those who guess wait, address by address', () => {
    const guess = (): string => code(() => security.login({ user: 'ann', password: 'x' }, here))
    for (let n = 0; n < 10; n++) expect(guess()).toBe('unauthorized')
    expect(guess()).toBe('overloaded')
    expect(code(() => security.begin('SCRAM-SHA-256', here))).toBe('overloaded')
    expect(security.login({ user: 'ann', password: 'secret' }, farTls)).toBe('ann')
    nowMs += 1000
    expect(guess()).toBe('unauthorized')
    nowMs += 1000
    expect(guess()).toBe('overloaded')
    nowMs += 1000
    expect(security.login({ user: 'ann', password: 'secret' }, here)).toBe('ann')
    expect(guess()).toBe('unauthorized')
  })

  it('counts the addresses of one IPv6 network as one', () => {
    for (let n = 0; n < 10; n++) expect(guessFrom(`[2001:db8::${n + 1}]:99`)).toBe('unauthorized')
    expect(guessFrom('[2001:db8:0:0:1:2:3:4]:1')).toBe('overloaded')
    expect(guessFrom('[2001:db8:0:1::1]:1')).toBe('unauthorized')
  })

  it('looks the same for names that are no users', () => {
    expect(firstChallenge('nobody')).toBe(firstChallenge('nobody'))
    expect(firstChallenge('nobody')).not.toBe(firstChallenge('noone'))
    expect(firstChallenge('nobody').length).toBe(firstChallenge('ann').length)
  })

  it('never leaves a broker that nobody can administer', () => {
    expect(code(() => users.delete('root'))).toBe('in_use')
    expect(code(() => users.update('root', { rules: ['allow read **'] }))).toBe('in_use')
    users.update('ann', { rules: ['allow administer broker'] })
    users.delete('root')
    expect(code(() => users.delete('ann'))).toBe('in_use')
    expect(security.knows('root')).toBe(false)
  })

  it('has rules for those who do not log in, if wanted', () => {
    expect(code(() => security.unnamed(here))).toBe('unauthorized')
    expect(security.unnamed({ ...farTls, certificateName: 'ann' })).toBe('ann')
    users.create({ name: 'anonymous', rules: ['allow publish queue:a'] })
    expect(security.unnamed(here)).toBe('anonymous')
    expect(may('anonymous', 'publish', 'queue:a')).toBe('ok')
  })

  it('lets in at each listener whom its rule admits', () => {
    users.create({ name: 'anonymous', rules: ['allow publish queue:a'] })
    const required: Peer = { ...here, login: 'required' }
    const none: Peer = { ...farTls, login: 'none' }
    expect(code(() => security.unnamed(required))).toBe('unauthorized')
    expect(security.unnamed({ ...required, certificateName: 'ann' })).toBe('ann')
    expect(security.login({ user: 'ann', password: 'secret' }, required)).toBe('ann')
    expect(security.mechanisms(required)).toContain('PLAIN')
    expect(security.unnamed(none)).toBe('anonymous')
    expect(security.mechanisms(none)).toEqual([])
    expect(code(() => security.login({ user: 'ann', password: 'secret' }, none))).toBe('unauthorized')
    expect(code(() => security.begin('SCRAM-SHA-256', none))).toBe('unauthorized')
  })

  it.each(['', 'a b', 'a*', 'queue:x', 'a\u0000b', 'x'.repeat(256)])('refuses the name %j', (name) => {
    expect(code(() => users.create({ name, rules: [] }))).toBe('bad_request')
  })
})
