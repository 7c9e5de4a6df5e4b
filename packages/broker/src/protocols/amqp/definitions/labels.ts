import type { Labels } from '../../../core/broker.ts'
import type { ArgumentsJson } from './arguments.ts'
import type { QueueType } from './queue-arguments.ts'

/** What a declaration says of a queue beside its arguments. */
export interface QueueProperties {
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
}

/** What was declared of a queue or stream over AMQP, as its label keeps it. */
export interface DeclaredQueue extends QueueProperties {
  readonly type: QueueType
  readonly arguments: ArgumentsJson
}

interface Labelled {
  readonly labels?: Labels | undefined
}

/** What was declared of anything: of a queue, all of it; of an exchange or binding, its arguments. */
export function labelsOf(declared: DeclaredQueue | Pick<DeclaredQueue, 'arguments'>): Labels {
  return { amqp: declared }
}

/** Of a queue or stream. Undefined for what was not declared over AMQP. */
export function declaredQueue({ labels }: Labelled): DeclaredQueue | undefined {
  return labels?.['amqp'] as DeclaredQueue | undefined
}

/** Of an exchange or binding. */
export function declaredArguments({ labels }: Labelled): ArgumentsJson {
  return (labels?.['amqp'] as Pick<DeclaredQueue, 'arguments'> | undefined)?.arguments ?? {}
}
