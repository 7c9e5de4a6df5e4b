import { MillraceError } from '../base/errors.ts'

export function notFound(kind: string, name: string, how: string): MillraceError {
  return new MillraceError('not_found', `${kind}:${name} does not exist: create it with \`${how}\``)
}

export function alreadyExists(kind: string, name: string): MillraceError {
  return new MillraceError(
    'already_exists',
    `the ${kind} ${name} exists with other settings: change them with an update, or use another name`,
  )
}
