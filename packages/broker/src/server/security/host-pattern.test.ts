import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileHost } from './host-pattern.ts'
import { hostOf } from './peer-host.ts'

const ipv4 = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 })

const number = (bytes: readonly number[]): number => bytes.reduce((all, byte) => all * 256 + byte, 0)

test('a network has the addresses with its first bits', () => {
  fc.assert(
    fc.property(ipv4, ipv4, fc.nat(32), fc.nat(32), (a, far, bits, shared) => {
      // Of some the first bits are the same.
      const size = 2 ** (32 - shared)
      const mixed = Math.floor(number(a) / size) * size + (number(far) % size)
      const b = [24, 16, 8, 0].map((shift) => Math.floor(mixed / 2 ** shift) % 256)
      const block = 2 ** (32 - bits)
      const isWithin = Math.floor(number(a) / block) === Math.floor(number(b) / block)
      expect(compileHost(`${a.join('.')}/${bits}`)!(b.join('.'))).toBe(isWithin)
    }),
  )
})

test.each([
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.4', false],
  ['::1', '::1', true],
  ['2001:db8::/32', '2001:db8:7::1', true],
  ['2001:db8::/32', '2001:db9::1', false],
  ['0.0.0.0/0', '8.8.8.8', true],
  ['10.0.0.0/8', 'in-process', false],
])('%s and %s: %s', (pattern, host, expected) => {
  expect(compileHost(pattern)!(host)).toBe(expected)
})

test.each(['', '*', 'localhost', '10.0.0', '10.0.0.0/33', '10.0.0.0/', '::/129', '10.0.0.0/8/8', '10.0.0.0/-1'])(
  '%j is neither an address nor a network',
  (text) => {
    expect(compileHost(text)).toBeUndefined()
  },
)

test.each([
  ['127.0.0.1:5', '127.0.0.1'],
  ['[::1]:5', '::1'],
  ['[::ffff:10.0.0.1]:5', '10.0.0.1'],
  ['[fe80::1%eth0]:5', 'fe80::1'],
  ['in-process', 'in-process'],
])('the host of the peer %s is %s', (address, host) => {
  expect(hostOf(address)).toBe(host)
})
