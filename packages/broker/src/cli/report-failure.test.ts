import { expect, test } from 'vitest'
import { MillraceError } from '../base/errors.ts'
import { CommandError, usageError } from './failure.ts'
import { failureText, formatAsked } from './report-failure.ts'

test('people read what happened and its code; a mistake in the command line needs none', async () => {
  const missing = new MillraceError('not_found', 'There is no queue x.')
  expect(await failureText(missing, 'table')).toBe('millrace: There is no queue x. (not_found)\n')
  expect(await failureText(usageError('Write queue:x.'), 'table')).toBe('millrace: Write queue:x.\n')
  expect(await failureText(new CommandError(undefined, 'Nothing was deleted.'), 'table')).toBe('millrace: Nothing was deleted.\n')
})

test('programs get the problem document of HTTP, in the format of the results', async () => {
  const missing = new MillraceError('not_found', 'There is no queue x.')
  const problem = {
    type: 'urn:millrace:error:not_found',
    title: 'Nothing of that name exists.',
    status: 404,
    code: 'not_found',
    detail: 'There is no queue x.',
  }
  for (const format of ['json', 'ndjson'] as const) {
    const text = await failureText(missing, format)
    expect(text).toMatch(/^[^\n]*\n$/)
    expect(JSON.parse(text)).toEqual(problem)
  }
  expect(await failureText(missing, 'yaml')).toContain('code: not_found\n')
  expect(JSON.parse(await failureText(usageError('Write queue:x.'), 'json'))).toMatchObject({ code: 'bad_request', status: 400 })
})

test('what has no code of the catalogue says so', async () => {
  const system = Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: 'ENOENT' })
  expect(JSON.parse(await failureText(system, 'json'))).toEqual({
    type: 'about:blank',
    title: 'The command failed.',
    detail: system.message,
  })
  expect(await failureText(system, 'table')).toBe(`millrace: ${system.message}\n`)
})

test.each([
  ['pub queue:x', 'table'],
  ['pub queue:x -o json', 'json'],
  ['-o ndjson pub queue:x --nonsense', 'ndjson'],
  ['pub --output=yaml queue:x', 'yaml'],
  ['pub -ojson queue:x', 'json'],
  ['pub -o json queue:x --output table', 'table'],
  ['pub queue:x -- -o json', 'table'],
  ['pub queue:x -o xml', 'table'],
  ['pub queue:x -o', 'table'],
])('the format of `%s` is %s', (line, format) => {
  expect(formatAsked(line.split(' '))).toBe(format)
})
