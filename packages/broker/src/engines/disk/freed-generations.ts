import { FREED_RANGES_MAX, type ManifestFacts } from './manifest.ts'

type Ranges = ManifestFacts['freed']

/** The ranges with one generation more; undefined when there would be more than `rangesMax`. */
export function withFreed(ranges: Ranges, generation: number, rangesMax: number = FREED_RANGES_MAX): Ranges | undefined {
  const before = ranges.filter(([, to]) => to < generation - 1)
  const after = ranges.filter(([from]) => from > generation + 1)
  const touching = ranges.slice(before.length, ranges.length - after.length)
  const from = Math.min(generation, ...touching.map(([first]) => first))
  const to = Math.max(generation, ...touching.map(([, last]) => last))
  const merged: Ranges = [...before, [from, to], ...after]
  return merged.length <= rangesMax ? merged : undefined
}

export function isFreed(ranges: Ranges, generation: number): boolean {
  return ranges.some(([from, to]) => from <= generation && generation <= to)
}
