import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { MIB } from '../base/units.ts'

/**
 * How far the heap, with the buffers outside it, may grow before all of it is looked through again, in percent of what was alive the
 * last time. V8 decides by the share of time that the collector takes, and for a small heap beside large buffers, which is what a
 * broker is, that comes out at a few megabytes: a dozen full collections a second, a third of the processor time.
 */
const GROWTH_PERCENT = 100
/** Where that would still mean a collection each `OFTEN_MS`: messages that are delivered one by one are worth the memory. */
const GROWTH_PERCENT_BUSY = 250
const OFTEN_MS = 200
/**
 * Where the young generation stops growing: what it takes, in both of its halves. By itself V8 doubles it up to 32 MiB, or 128 in later
 * versions, all of which stays in memory. Of what a broker makes so little survives that the collector has no more work with less room.
 */
const YOUNG_BYTES_MAX: number = 8 * MIB

/** For this process as a whole, so only where a broker is its business. */
export function letHeapGrow(): void {
  growAsNeeded()
  boundYoung()
}

/** A percentage counts when V8 next sets the bound, which is at the end of a full collection. */
function growAsNeeded(): void {
  let percent = GROWTH_PERCENT
  let lastMs = performance.now()
  setFlagsFromString(`--heap-growing-percent=${percent}`)
  const observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries().filter(isFull)) {
      percent = nextGrowthPercent(percent, startTime - lastMs)
      lastMs = startTime
      setFlagsFromString(`--heap-growing-percent=${percent}`)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
}

/** After a full collection. @param sinceLastMs the time in which the heap grew by `percent` */
export function nextGrowthPercent(percent: number, sinceLastMs: number): number {
  return (sinceLastMs / percent) * GROWTH_PERCENT < OFTEN_MS ? GROWTH_PERCENT_BUSY : GROWTH_PERCENT
}

function isFull(collection: PerformanceEntry): boolean {
  const { detail } = collection as PerformanceEntry & { readonly detail: { readonly kind: number } }
  return detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
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
