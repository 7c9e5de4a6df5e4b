/** Where an answer goes, by what the header `reply-to` of the question says: an address, or the name of a queue, as other protocols have it. */
export function replyDestination(replyTo: string): string {
  return /^(queue|topic|exchange):/.test(replyTo) ? replyTo : `queue:${replyTo}`
}
