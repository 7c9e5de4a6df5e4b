/** One measured number, the same for each system. */
export interface Row {
  readonly name: string
  readonly unit: string
  readonly value: number
  /** What more is better of. */
  readonly better: 'more' | 'less'
}

/** What was measured of one system. */
export interface Column {
  readonly name: string
  readonly rows: readonly Row[]
}

const NAME_WIDTH = 48
const CELL_WIDTH = 20

/** @param only what was asked for, of `all` @returns whether a part is among them @throws Error that names all when one is unknown */
export function chosen<T extends string>(all: readonly T[], only: readonly string[]): (part: T) => boolean {
  const unknown = only.find((name) => !(all as readonly string[]).includes(name))
  if (unknown !== undefined) throw new Error(`--only is one of ${all.join(', ')}, not ${unknown}`)
  return (part) => only.includes(part)
}

export function throughput(name: string, perSecond: number): Row {
  return { name, unit: 'k/s', value: perSecond / 1000, better: 'more' }
}

/** Prints them side by side, with how much better the last one is than the best of the others. */
export function printComparison(title: string, columns: readonly Column[]): void {
  const compares = columns.length > 1
  console.log(line(title, [...columns.map(({ name }) => name), ...(compares ? ['times the best'] : [])]))
  for (const [n, { name, unit, better }] of columns[0]!.rows.entries()) {
    const figures = columns.map(({ rows }) => rows[n]!.value)
    const [own, others] = [figures.at(-1)!, figures.slice(0, -1)]
    const ratio = better === 'more' ? own / Math.max(...others) : Math.min(...others) / own
    console.log(line(`${name}, ${unit}`, [...figures.map(shown), ...(compares ? [ratio.toFixed(2)] : [])]))
  }
}

function line(first: string, cells: readonly string[]): string {
  return first.padEnd(NAME_WIDTH) + cells.map((cell) => cell.padStart(CELL_WIDTH)).join('')
}

function shown(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
}
