import { MillraceError } from '../errors.ts'
import type { SchemaIssue } from './standard-schema.ts'

/** One thing that is wrong, and where: `items[2].price`; an empty path is the body itself. */
export interface MismatchIssue {
  readonly path: string
  readonly message: string
}

/** More than these are counted, not listed, in the message. */
const ISSUES_SHOWN = 10

/** A body that does not have the declared shape: code `schema_mismatch`. */
export class SchemaMismatch extends MillraceError {
  readonly issues: readonly MismatchIssue[]

  /** @param what begins the message: whose body it is */
  constructor(what: string, issues: readonly MismatchIssue[], options?: ErrorOptions) {
    super('schema_mismatch', `${what}: ${listed(issues)}.`, options)
    this.issues = issues
  }
}

export function mismatchIssues(issues: readonly SchemaIssue[]): readonly MismatchIssue[] {
  return issues.map(({ path, message }) => ({ path: pathText(path ?? []), message }))
}

function listed(issues: readonly MismatchIssue[]): string {
  const shown = issues.slice(0, ISSUES_SHOWN).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  const more = issues.length - shown.length
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

function pathText(path: NonNullable<SchemaIssue['path']>): string {
  let text = ''
  for (const segment of path) {
    const key = typeof segment === 'object' ? segment.key : segment
    if (typeof key === 'number') text += `[${key}]`
    else if (typeof key === 'string' && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)) text += text === '' ? key : `.${key}`
    else text += `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`
  }
  return text
}
