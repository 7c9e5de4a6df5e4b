import { type ProblemDocument, problemDocument } from '../server/http/problem.ts'
import { catalogueCodeOf, describeFailure, UsageError } from './failure.ts'
import { type Format, outputFormats } from './output/format.ts'

/** A failure that has no code of the catalogue. */
interface PlainProblem {
  readonly type: 'about:blank'
  readonly title: string
  readonly detail: string
}

/** What the error says on stderr: a line for people, or for programs the document that HTTP answers with. */
export async function failureText(error: unknown, format: Format): Promise<string> {
  if (format === 'json' || format === 'ndjson') return `${JSON.stringify(problemOf(error))}\n`
  if (format === 'yaml') return (await import('yaml')).stringify(problemOf(error))
  const code = error instanceof UsageError ? undefined : catalogueCodeOf(error)
  return `millrace: ${describeFailure(error)}${code === undefined ? '' : ` (${code})`}\n`
}

/** The format that a command line asks for, understood before the rest of it: a mistake in that is told in this format too. */
export function formatAsked(argv: readonly string[]): Format {
  const end = argv.indexOf('--')
  const words = end < 0 ? argv : argv.slice(0, end)
  let asked: string | undefined
  for (const [n, word] of words.entries()) {
    if (word === '-o' || word === '--output') asked = words[n + 1]
    else asked = /^(?:-o|--output=)(.+)$/.exec(word)?.[1] ?? asked
  }
  return outputFormats.find((format) => format === asked) ?? 'table'
}

function problemOf(error: unknown): ProblemDocument | PlainProblem {
  const code = catalogueCodeOf(error)
  const detail = describeFailure(error)
  return code === undefined ? { type: 'about:blank', title: 'The command failed.', detail } : problemDocument(code, detail)
}
