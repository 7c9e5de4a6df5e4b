import { readFileSync } from 'node:fs'
import { frameSchemas } from '@millrace/wire'
import { expect, it } from 'vitest'
import { operations } from '../../src/protocols/api/operations.ts'

const document = readFileSync(new URL('../../../../docs/formats/native-protocol.md', import.meta.url), 'utf8')

it('the document lists the frames as they are', () => {
  const rows = [...document.matchAll(/^\| (0x[0-9a-f]{2}) +\| (\w+) +\| (\w+) +\|/gm)].map(([, opcode, name, from]) => [
    name,
    Number(opcode),
    from,
  ])
  expect(rows).toEqual(Object.entries(frameSchemas).map(([name, { opcode, from }]) => [name, opcode, from]))
})

it('the document lists the calls as they are', () => {
  const rows = [...document.matchAll(/^\| (`[a-zA-Z.`, ]+`) +\|/gm)].flatMap(([, names]) =>
    names!.replaceAll('`', '').split(', '),
  )
  expect(rows.toSorted()).toEqual(Object.keys(operations).toSorted())
})
