/** A program that means "now" reads the clock a moment before it publishes. */
const MOMENT_MS = 500

/** Whether somebody who states this time for a message now is mistaken: it has passed. The broker itself takes such a time for now. */
export function isPastDue(dueMs: number, nowMs: number): boolean {
  return dueMs < nowMs - MOMENT_MS
}
