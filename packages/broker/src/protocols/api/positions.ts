/** The next offset to read of each partition, as text: `0:15,1:22`. */
import { MillraceError } from '../../base/errors.ts'

const PATTERN = /^\d{1,9}:\d{1,15}(,\d{1,9}:\d{1,15})*$/

/** @param what names the text in the error @throws MillraceError `bad_request` */
export function parsePositions(text: string, what: string): ReadonlyMap<number, number> {
  const positions = new Map<number, number>()
  if (text === '') return positions
  if (!PATTERN.test(text)) throw new MillraceError('bad_request', `${what} is not one that this broker sent.`)
  for (const position of text.split(',')) {
    const [partition, next] = position.split(':') as [string, string]
    positions.set(Number(partition), Number(next))
  }
  return positions
}

/** @param next undefined where it is not known yet */
export function formatPositions(positions: Iterable<readonly [partition: number, next: number | undefined]>): string {
  const known: string[] = []
  for (const [partition, next] of positions) if (next !== undefined) known.push(`${partition}:${next}`)
  return known.join(',')
}
