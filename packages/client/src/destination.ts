import { MillraceError } from './errors.ts'

/** @throws MillraceError `bad_request` for what is not the address of a queue, topic or exchange */
export function checkDestination(destination: string): void {
  if (/^(queue|topic|exchange):./.test(destination)) return
  throw new MillraceError(
    'bad_request',
    `A destination is \`queue:NAME\`, \`topic:NAME\` or \`exchange:NAME[/KEY]\`, not ${JSON.stringify(destination)}.`,
  )
}
