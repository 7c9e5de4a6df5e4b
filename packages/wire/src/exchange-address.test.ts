import { expect, test } from 'vitest'
import { exchangeAddress, parseExchangeAddress } from './exchange-address.ts'

test.each([
  ['orders', undefined, 'exchange:orders'],
  ['orders', 'eu.paid', 'exchange:orders/eu.paid'],
  ['orders', '', 'exchange:orders/'],
  ['a/b%2Fc', 'x/y%', 'exchange:a%2Fb%252Fc/x/y%'],
  ['', 'queue name', 'exchange:/queue name'],
  ['', undefined, 'exchange:'],
  ['tenant::orders', undefined, 'exchange:tenant::orders'],
])('exchange %j with key %j is written %s', (name, key, address) => {
  expect(exchangeAddress(name, key)).toBe(address)
  expect(parseExchangeAddress(address)).toEqual({ name, key })
})

test('other addresses are none of exchanges', () => {
  expect(parseExchangeAddress('queue:orders')).toBeUndefined()
  expect(parseExchangeAddress('exchange')).toBeUndefined()
})

test('a percent sign that encodes nothing stands for itself', () => {
  expect(parseExchangeAddress('exchange:100%')).toEqual({ name: '100%', key: undefined })
})
