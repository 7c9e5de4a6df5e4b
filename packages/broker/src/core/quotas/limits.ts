/** Every bound of quotas. */

/** They are kept as one definition. */
export const QUOTAS_MAX = 1000
export const NAME_LENGTH_MAX = 255
/** Users and clients whose rate is known at a time. */
export const SPENDERS_MAX = 10_000
/** Who did nothing for so long may do as much at once as its rate allows in that time. */
export const BURST_MS = 1000
/** Nobody waits longer for what was done at once. */
export const WAIT_MS_MAX = 60_000
