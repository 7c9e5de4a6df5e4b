import { codec } from '../codec.ts'
import { backlog } from './backlog.ts'
import { dueAtOnce } from './due-at-once.ts'
import { endToEnd } from './end-to-end.ts'
import { latency } from './latency.ts'
import { manyQueues } from './many-queues.ts'
import { policies } from './policies.ts'
import { publish } from './publish.ts'
import type { Scenario } from './scenario.ts'
import { startUp } from './start-up.ts'

/** In the order in which they run. */
export const scenarios: readonly Scenario[] = [
  codec,
  startUp,
  publish,
  endToEnd,
  policies,
  latency,
  manyQueues,
  backlog,
  dueAtOnce,
]
