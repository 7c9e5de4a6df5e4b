import type { Shard } from '../shard.ts'

/** What the schedule needs of the shard that it is part of. */
export type ScheduleHome = Pick<
  Shard,
  'store' | 'platform' | 'crc32c' | 'stateLog' | 'cycle' | 'dispatcher' | 'timers' | 'windows' | 'warn'
>
