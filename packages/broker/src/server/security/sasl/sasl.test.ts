import { describe, expect, it } from 'vitest'
import type { HashName } from '../password-keys.ts'
import { scramKeys } from '../password-keys.ts'
import { plainExchange } from './plain.ts'
import { scramExchange } from './scram.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (message: Uint8Array): string => Buffer.from(message).toString()

/** The example of RFC 7677, section 3: user `user`, password `pencil`. */
function example(hash: HashName = 'sha256') {
  const asked: [string, boolean][] = []
  const exchange = scramExchange({
    hash,
    nonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    keysOf: () => scramKeys(hash, 'pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096),
    verdict: (user, isProven) => {
      asked.push([user, isProven])
      if (!isProven) throw new Error('no')
      return user
    },
  })
  return { exchange, asked }
}
const FIRST = 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO'
const CHALLENGE = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
const FINAL = 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='

describe('SCRAM', () => {
  it('follows the example of RFC 7677', () => {
    const { exchange, asked } = example()
    const first = exchange.respond(bytes(FIRST))
    expect([first.done, text(first.challenge)]).toEqual([false, CHALLENGE])
    const last = exchange.respond(bytes(FINAL))
    expect(last).toMatchObject({ done: true, user: 'user' })
    expect(text(last.challenge)).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    expect(asked).toEqual([['user', true]])
    expect(() => exchange.respond(bytes(FINAL))).toThrow(/is over/)
  })

  it.each([
    ['another nonce', FINAL.replace('k0,p', 'k1,p')],
    ['another binding', FINAL.replace('biws', 'eSws')],
    ['a wrong proof', FINAL.replace('p=dHz', 'p=dHy')],
    ['a proof that is too long', FINAL.replace('VQ=', 'VQAA')],
    ['a short proof', FINAL.replace(/p=.*/, 'p=AAAA')],
    ['no proof', FINAL.replace(/,p=.*/, '')],
  ])('refuses %s, and does not go on', (_, message) => {
    const { exchange } = example()
    exchange.respond(bytes(FIRST))
    expect(() => exchange.respond(bytes(message))).toThrow(/cannot be taken|may not act|^no$|A PLAIN message/)
    expect(() => exchange.respond(bytes(FINAL))).toThrow(/is over/)
  })

  it.each([
    ['channel binding', 'p=tls-unique,,n=user,r=abc'],
    ['somebody else', 'n,a=root,n=user,r=abc'],
    ['a name with a bad escape', 'n,,n=us=er,r=abc'],
    ['an empty message', ''],
    ['a long one', `n,,n=user,r=${'a'.repeat(5000)}`],
  ])('refuses %s', (_, message) => {
    expect(() => example().exchange.respond(bytes(message))).toThrow(/cannot be taken|may not act|^no$|A PLAIN message/)
  })

  it('decodes names', () => {
    let asked = ''
    const exchange = scramExchange({
      hash: 'sha512',
      nonce: 'n',
      keysOf: (user) => {
        asked = user
        return scramKeys('sha512', 'x', Buffer.alloc(16), 4096)
      },
      verdict: (user) => user,
    })
    exchange.respond(bytes('y,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=abc'))
    expect(asked).toBe('a,b=c')
  })
})

describe('PLAIN', () => {
  const exchange = plainExchange((user, password) => `${user}/${password}`)
  it('takes user and password', () => {
    expect(exchange.respond(bytes('\0ann\0secret'))).toMatchObject({ done: true, user: 'ann/secret' })
    expect(exchange.respond(bytes('ann\0ann\0secret'))).toMatchObject({ user: 'ann/secret' })
  })
  it.each(['', 'ann', '\0\0secret', 'root\0ann\0secret', '\0ann\0a\0b', `\0ann\0${'x'.repeat(5000)}`])(
    'refuses %j',
    (message) => {
      expect(() => exchange.respond(bytes(message))).toThrow(/cannot be taken|may not act|^no$|A PLAIN message/)
    },
  )
})
