import { MillraceError } from './errors.ts'

/** @throws MillraceError `bad_request` for what is not the address of a queue or topic */
export function checkDestination(destination: string): void {
  if (/^(queue|topic):./.test(destination)) return
  throw new MillraceError('bad_request', `A destination is \`queue:NAME\` or \`topic:NAME\`, not ${JSON.stringify(destination)}.`)
}
