import type { Decoded } from '../codec/notation.ts'
import { errors, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { shareAcknowledge } from '../messages/shares.ts'
import type { AcknowledgedRun } from './shared-topic.ts'

type Batches = Decoded<typeof shareAcknowledge.request>['topics'][number]['partitions'][number]['acknowledgementBatches']

const RENEW = 4

/** By type, as the protocol numbers them. A gap, where there is no record, is done. */
const outcomes: readonly AcknowledgedRun['outcome'][] = [
  { kind: 'ack' },
  { kind: 'ack' },
  { kind: 'nack' },
  { kind: 'reject' },
  'renew',
]

/**
 * Runs of neighbours of which the same is said.
 * @throws KafkaError INVALID_REQUEST
 */
export function runsOf(batches: Batches, mayRenew: boolean): readonly AcknowledgedRun[] {
  const runs: AcknowledgedRun[] = []
  let end = -1
  for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
    if (firstOffset <= end || lastOffset < firstOffset)
      throw refused(`the offsets ${firstOffset}..${lastOffset} are not in order`)
    const count = lastOffset - firstOffset + 1
    if (acknowledgeTypes.length !== 1 && acknowledgeTypes.length !== count) {
      throw refused(`there are ${acknowledgeTypes.length} types for ${count} offsets`)
    }
    for (let from = 0; from < acknowledgeTypes.length;) {
      const type = acknowledgeTypes[from]!
      let next = from + 1
      while (next < acknowledgeTypes.length && acknowledgeTypes[next] === type) next++
      const outcome = outcomes[type]
      if (outcome === undefined || (type === RENEW && !mayRenew)) throw refused(`the type ${type} is not allowed`)
      if (runs.length === limits.acknowledgedRunsMax) throw refused(`there are more than ${runs.length} runs`)
      const last = acknowledgeTypes.length === 1 ? lastOffset : firstOffset + next - 1
      runs.push({ first: firstOffset + from, last, outcome })
      from = next
    }
    end = lastOffset
  }
  return runs
}

function refused(why: string): KafkaError {
  return new KafkaError(errors.INVALID_REQUEST, `acknowledgements cannot be read: ${why}`)
}
