import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { MIB } from '../base/units.ts'

/**
 * How far the heap, with the buffers outside it, may grow before all of it is looked through again, in percent of what was alive the
 * last time. V8 decides by the share of time that the collector takes, and for a small heap beside large buffers, which is what a
 * broker is, that comes out at a few megabytes: a dozen full collections a second, a third of the processor time.
 */
const GROWTH_PERCENT = 250
/**
 * Where the young generation stops growing: what it takes, in both of its halves. By itself V8 doubles it up to 32 MiB, or 128 in later
 * versions, all of which stays in memory. Of what a broker makes so little survives that the collector has no more work with less room.
 */
const YOUNG_BYTES_MAX: number = 8 * MIB

/** For this process as a whole, so only where a broker is its business. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
  boundYoung()
}

/** Its largest size counts when the process starts only; by how much it grows, each time. V8 may also shrink it. */
function boundYoung(): void {
  let mayGrow = true
  const observer = new PerformanceObserver(() => {
    const isSmall = youngBytes() < YOUNG_BYTES_MAX
    if (isSmall === mayGrow) return
    mayGrow = isSmall
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`)
  })
  observer.observe({ entryTypes: ['gc'] })
}

function youngBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
  return young?.space_size ?? 0
}
