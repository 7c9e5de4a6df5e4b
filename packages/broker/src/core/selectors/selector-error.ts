import { MillraceError } from '../../base/errors.ts'

/** Characters of the selector that are shown on either side of the place. */
const EXCERPT_CHARACTERS = 36

/** `bad_selector`, with the column (from 1, in UTF-16 units) and lines that show the place. */
export function selectorError(text: string, at: number, problem: string): MillraceError {
  const start = Math.max(0, at - EXCERPT_CHARACTERS)
  const excerpt = text.slice(start, at + EXCERPT_CHARACTERS).replaceAll(/[\p{C}\p{Z}]/gu, ' ')
  const lines = [`The selector is wrong at column ${at + 1}: ${problem}.`, `  ${excerpt}`, `  ${' '.repeat(at - start)}^`]
  return new MillraceError('bad_selector', lines.join('\n'))
}
