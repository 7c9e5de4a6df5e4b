/** One measured number, how it compares with a limit measured in the same run, and whether that is good enough. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: Unit
  /** What the machine itself can do, from the same run. */
  readonly limit?: { readonly name: string; readonly value: number }
  readonly goal?: Goal
}

export type Unit = 'ms' | 'MB' | 'MB/s' | 'msg/s' | 'ns' | 'count' | 'ratio'

export interface Goal {
  readonly text: string
  readonly met: boolean
}

export function atMost(value: number, most: number, text: string): Goal {
  return { text: `at most ${text}`, met: value <= most }
}

export function atLeast(value: number, least: number, text: string): Goal {
  return { text: `at least ${text}`, met: value >= least }
}

/** `pass  publish 100 B  412,345 msg/s  0.43 of raw disk (961,234)  goal: at least 400,000` */
export function formatFigure({ name, value, unit, limit, goal }: Figure): string {
  const mark = goal === undefined ? '    ' : goal.met ? 'pass' : 'FAIL'
  const parts = [`${mark}  ${name.padEnd(52)}`, `${formatValue(value)} ${unit}`.padStart(17)]
  if (limit !== undefined) parts.push(`${(value / limit.value).toFixed(2)} of ${limit.name} (${formatValue(limit.value)})`)
  if (goal !== undefined) parts.push(`goal: ${goal.text}`)
  return parts.join('  ')
}

function formatValue(value: number): string {
  const decimals = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: decimals, minimumFractionDigits: decimals })
}
