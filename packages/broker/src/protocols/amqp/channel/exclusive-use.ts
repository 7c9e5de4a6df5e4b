import { MillraceError } from '../../../base/errors.ts'
import { AmqpError } from '../amqp-error.ts'

/**
 * @param queue what its clients are told it is called
 * @throws AmqpError where `join` found that somebody consumes it alone
 */
export function unlessInUse<T>(queue: string, join: () => T): T {
  try {
    return join()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'in_use') throw error
    throw new AmqpError('access-refused', `${queue} in exclusive use`)
  }
}
