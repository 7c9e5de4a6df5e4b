import { setFlagsFromString } from 'node:v8'

/**
 * How far the heap, with the buffers outside it, may grow before all of it is looked through again, in percent of what was alive the
 * last time. V8 decides by the share of time that the collector takes, and for a small heap beside large buffers, which is what a
 * broker is, that comes out at a few megabytes: a dozen full collections a second, a third of the processor time.
 */
const GROWTH_PERCENT = 400

/** For this process as a whole, so only where a broker is its business. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}
