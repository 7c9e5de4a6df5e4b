/** The messages of every API that clients may use. The facts are those of the message definitions of Apache Kafka 4.3. */
import type { ApiDefinition } from '../codec/notation.ts'
import * as cluster from './cluster.ts'
import * as groups from './groups.ts'
import * as records from './records.ts'
import * as replicas from './replicas.ts'
import * as security from './security.ts'
import * as shares from './shares.ts'
import * as topics from './topics.ts'
import * as transactions from './transactions.ts'

export const allMessages: readonly ApiDefinition[] = [
  records,
  cluster,
  topics,
  groups,
  shares,
  transactions,
  replicas,
  security,
].flatMap((file) => Object.values<ApiDefinition>(file))
