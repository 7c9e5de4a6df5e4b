import { entryAt } from '../src/storage/index-entry.ts'
import type { LogIndex } from '../src/storage/log-index.ts'

/** What an index knows of the logs, as text that two indexes can be compared by; without the logs' bytes, which are sums of shares. */
export function describeIndex(index: LogIndex): string {
  const lines: string[] = []
  for (const log of [...index.logs.values()].filter((each) => each.isCommitted).toSorted((a, b) => a.id - b.id)) {
    lines.push(`log ${log.id}: ${log.start}..${log.end}, sealed up to ${log.sealedEnd}`)
    for (let n = 0; n < (log.holes?.count ?? 0); n++) lines.push(`  hole ${log.holes!.first(n)}..${log.holes!.end(n)}`)
    for (let n = 0; n < (log.runs?.count ?? 0); n++) lines.push(`  run ${JSON.stringify(log.runs!.at(n))}`)
    for (let n = 0; n < log.tailCount; n++) {
      const entry = entryAt(index.pool.page(log.tailHandle), index.pool.first(log.tailHandle) + log.tailFirst + n)
      lines.push(`  entry ${JSON.stringify(entry)}`)
    }
  }
  return lines.join('\n')
}
