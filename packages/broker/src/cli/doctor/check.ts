/** One line of `millrace doctor`. */
export interface Finding {
  readonly check: string
  readonly verdict: 'ok' | 'warn' | 'fail'
  /** What was found, with figures. */
  readonly found: string
  /** What to do about it; not for `ok`. */
  readonly advice?: string
}

export function ok(check: string, found: string): Finding {
  return { check, verdict: 'ok', found }
}

export function warn(check: string, found: string, advice: string): Finding {
  return { check, verdict: 'warn', found, advice }
}

export function fail(check: string, found: string, advice: string): Finding {
  return { check, verdict: 'fail', found, advice }
}
