// hot path (packages/broker/test/core/throughput.mjs)
import type { Cursor } from './cursor.ts'
import type { HeldLease, Holder } from './cursor-owner.ts'
import { Lease } from './ranges.ts'

/** A lease that is shared with gaps covers at most so many offsets: all ranges there are looked at when it ends. */
const LEASE_OFFSETS_MAX = 256

/** The lease for the delivery of `first..last`: the newest of the holder, if it is the same but for the messages, or a new one. */
export function leaseFor(
  holder: Holder,
  origin: Cursor,
  first: number,
  last: number,
  attempt: number,
  deadlineMs: number,
): HeldLease {
  const { newest } = holder
  if (
    newest !== undefined &&
    newest.deadlineMs === deadlineMs &&
    newest.attempt === attempt &&
    newest.origin === origin &&
    reaches(newest, first, last)
  ) {
    return newest
  }
  const lease = new Lease<Holder, Cursor>(first, attempt, deadlineMs, holder, origin)
  holder.link(lease)
  return lease
}

/** Whether `first..last`, which is of the same delivery, may share the lease. */
function reaches(lease: HeldLease, first: number, last: number): boolean {
  return first === lease.last + 1 || (first > lease.last && last - lease.first < LEASE_OFFSETS_MAX)
}
