import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type ErrorCode, errorCatalogue } from '../../base/errors.ts'
import { logEvents } from '../log/events.ts'
import { statusOf } from './problem.ts'

const text = readFileSync(new URL('../../../../../docs/errors.md', import.meta.url), 'utf8')
const sections = new Map(
  text
    .split(/^### /m)
    .slice(1)
    .map((section) => [/^`(\w+)`/.exec(section)![1]!, section]),
)
const codes = Object.keys(errorCatalogue) as ErrorCode[]

test('docs/errors.md explains each code, and no other', () => {
  expect([...sections.keys()].toSorted()).toEqual(codes.toSorted())
})

test.each(codes)('%s is documented with its status, whether to retry, and what to do', (code) => {
  const section = sections.get(code)!
  expect(section).toContain(`HTTP ${statusOf[code]};`)
  expect(section).toContain(errorCatalogue[code].retryable ? 'may succeed later.' : 'final.')
  expect(section).toMatch(/\*\*What to do:\*\* \S.{20,}/s)
})

test('docs/errors.md lists each log event', () => {
  const listed = [...text.matchAll(/^\| `([a-z.]+)` +\|/gm)].map(([, event]) => event!)
  expect(listed.toSorted()).toEqual(Object.keys(logEvents).toSorted())
})
