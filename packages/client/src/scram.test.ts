import { expect, test } from 'vitest'
import { scramClient } from './scram.ts'

// The example of RFC 7677, section 3.
const challenge = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'

test('the example of RFC 7677', async () => {
  const client = scramClient('user', 'pencil', 'rOprNGfwEbeRWgbNEkqO')
  expect(client.first).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  expect(client.isProof(undefined)).toBe(false)
  expect(await client.answer(challenge)).toBe(
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  expect(client.isProof('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(true)
  expect(client.isProof('v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(false)
  expect(client.isProof(undefined)).toBe(false)
})

test.each([
  ['of another login', challenge.replace('rOp', 'xOp')],
  ['without chance of its own', challenge.replace(/%[^,]*/, '')],
  ['that asks for too little work', challenge.replace('4096', '1')],
  ['that asks for too much', challenge.replace('4096', '99999999')],
  ['of another form', 'hello'],
])('a challenge %s is not answered', async (_, text) => {
  await expect(scramClient('user', 'pencil', 'rOprNGfwEbeRWgbNEkqO').answer(text)).rejects.toMatchObject({ code: 'unauthorized' })
})
