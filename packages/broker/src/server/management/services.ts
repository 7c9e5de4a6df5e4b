import { hostname } from 'node:os'
import { BodyReader } from '../http/body.ts'
import type { ManagementOptions } from './open-management.ts'
import { Rates } from './rates.ts'

/** What the routes of the management API share. */
export interface ManagementServices extends ManagementOptions {
  readonly bodies: BodyReader
  readonly rates: Rates
  /** What RabbitMQ would call its node. */
  readonly node: string
}

/** The version of RabbitMQ whose API this is: tools compare it with what they need. */
export const API_VERSION = '4.1.0'

export function managementServices(options: ManagementOptions): ManagementServices {
  const { config, session } = options
  return {
    ...options,
    bodies: new BodyReader(config.limits),
    rates: new Rates(() => session.platform.clock.nowMs()),
    node: `millrace@${hostname().split('.', 1)[0]}`,
  }
}
