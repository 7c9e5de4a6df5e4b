import { destinationAddress } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { RedriveSpec } from '../broker.ts'
import { parseAddress, parseDestination } from '../names.ts'
import { PRIORITIES_MAX } from '../priorities/limits.ts'
import { type Selector, compileSelector } from '../selectors/selector.ts'
import { checkKeys, oneOf, positive, within } from '../settings.ts'
import { RATE_MAX } from './limits.ts'

const KEYS: readonly (keyof RedriveSpec)[] = [
  'source',
  'to',
  'offset',
  'partition',
  'max',
  'filter',
  'dryRun',
  'ratePerSecond',
  'keepHeaders',
  'mayGoTo',
]

/** A specification that was checked. */
export interface CheckedRedrive {
  /** Name of the queue. */
  readonly queue: string
  readonly source: string
  readonly to: string | undefined
  readonly offset: number | undefined
  /** Of the offset. */
  readonly partition: number
  readonly max: number
  readonly filter: Selector | undefined
  readonly dryRun: boolean
  readonly ratePerSecond: number
  readonly keepHeaders: boolean
  readonly mayGoTo: (destination: string) => boolean
}

/** @throws MillraceError `bad_request`, `illegal_name`, `bad_selector` */
export function checkRedrive(spec: RedriveSpec): CheckedRedrive {
  checkKeys('a redrive', spec, KEYS)
  const { kind, name, subscription } = parseAddress(spec.source)
  if (kind !== 'queue') {
    const what = subscription === undefined ? 'a topic keeps its messages' : 'a subscription has none of its own'
    throw new MillraceError('bad_request', `messages are redriven out of a queue, not ${spec.source}: ${what}`)
  }
  const { to, offset, partition, max, filter, ratePerSecond } = spec
  return {
    queue: name,
    source: `queue:${name}`,
    to: to === undefined ? undefined : addressOf(to),
    offset: offset === undefined ? undefined : within('offset', offset, 0, Number.MAX_SAFE_INTEGER),
    partition: checkPartition(partition, offset),
    max: max === undefined ? Infinity : positive('max', max, Number.MAX_SAFE_INTEGER),
    filter: filter === undefined ? undefined : compileSelector(filter),
    dryRun: oneOf('dryRun', spec.dryRun ?? false, [true, false]),
    ratePerSecond: ratePerSecond === undefined ? Infinity : within('ratePerSecond', ratePerSecond, 0.001, RATE_MAX),
    keepHeaders: oneOf('keepHeaders', spec.keepHeaders ?? false, [true, false]),
    mayGoTo: spec.mayGoTo ?? (() => true),
  }
}

function checkPartition(partition: number | undefined, offset: number | undefined): number {
  if (partition === undefined) return 0
  if (offset !== undefined) return within('partition', partition, 0, PRIORITIES_MAX - 1)
  throw new MillraceError('bad_request', 'partition says where the message is that offset names: give both')
}

function addressOf(destination: string): string {
  const { kind, name } = parseDestination(destination)
  return destinationAddress(kind, name)
}
