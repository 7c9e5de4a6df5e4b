/** Windows computed over the whole list of records, without state, indexes or order: the plain meaning of the words. */

export interface TimedRecord {
  readonly key: string
  readonly timestampMs: number
}

export interface OracleResult {
  readonly key: string
  readonly startMs: number
  readonly endMs: number
  /** Numbers of the records in it, ascending. */
  readonly members: readonly number[]
}

export interface Verdict {
  /** Windows that event time has closed by the end of the list. */
  readonly closed: readonly OracleResult[]
  readonly open: readonly OracleResult[]
  /** Numbers of records that no open window took. */
  readonly late: readonly number[]
}

/** Event time when the record with that number came. */
function timeAt(records: readonly TimedRecord[], number: number): number {
  return Math.max(...records.slice(0, number + 1).map(({ timestampMs }) => timestampMs))
}

export function timeWindowsVerdict(
  records: readonly TimedRecord[],
  { sizeMs, everyMs, graceMs }: { readonly sizeMs: number; readonly everyMs: number; readonly graceMs: number },
): Verdict {
  const windows = new Map<string, { key: string; startMs: number; endMs: number; members: number[] }>()
  const late: number[] = []
  records.forEach(({ key, timestampMs }, number) => {
    const nowMs = timeAt(records, number)
    let taken = false
    // All starts that there are, one by one.
    const first = Math.floor((timestampMs - sizeMs) / everyMs) * everyMs
    for (let startMs = first; startMs <= timestampMs; startMs += everyMs) {
      const endMs = startMs + sizeMs
      if (timestampMs < startMs || timestampMs >= endMs || endMs + graceMs <= nowMs) continue
      taken = true
      const name = JSON.stringify([key, startMs])
      const window = windows.get(name) ?? { key, startMs, endMs, members: [] }
      window.members.push(number)
      windows.set(name, window)
    }
    if (!taken) late.push(number)
  })
  return verdict([...windows.values()], late, records, graceMs)
}

export function sessionsVerdict(
  records: readonly TimedRecord[],
  { gapMs, graceMs }: { readonly gapMs: number; readonly graceMs: number },
): Verdict {
  let sessions: { key: string; startMs: number; endMs: number; members: number[]; isClosed: boolean }[] = []
  const late: number[] = []
  records.forEach(({ key, timestampMs }, number) => {
    const nowMs = timeAt(records, number)
    for (const session of sessions) session.isClosed ||= session.endMs + graceMs <= nowMs
    const own = { key, startMs: timestampMs, endMs: timestampMs + gapMs, members: [number], isClosed: false }
    if (own.endMs + graceMs <= nowMs) {
      late.push(number)
      return
    }
    const touches = (session: (typeof sessions)[number]): boolean =>
      !session.isClosed && session.key === key && session.startMs < own.endMs && session.endMs > own.startMs
    const joined = [...sessions.filter(touches), own]
    sessions = sessions.filter((session) => !touches(session))
    sessions.push({
      key,
      startMs: Math.min(...joined.map(({ startMs }) => startMs)),
      endMs: Math.max(...joined.map(({ endMs }) => endMs)),
      members: joined.flatMap(({ members }) => members).toSorted((a, b) => a - b),
      isClosed: false,
    })
  })
  return verdict(sessions, late, records, graceMs)
}

function verdict(
  windows: readonly OracleResult[],
  late: readonly number[],
  records: readonly TimedRecord[],
  graceMs: number,
): Verdict {
  const endMs = records.length === 0 ? -Infinity : timeAt(records, records.length - 1)
  const results = windows.map(({ key, startMs, endMs: end, members }) => ({ key, startMs, endMs: end, members }))
  const isClosed = (result: OracleResult): boolean => result.endMs + graceMs <= endMs
  return { closed: sorted(results.filter(isClosed)), open: sorted(results.filter((result) => !isClosed(result))), late }
}

export function sorted(results: readonly OracleResult[]): readonly OracleResult[] {
  return results.toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs || (a.key < b.key ? -1 : 1))
}
