import type { KeyCheck } from '../core/broker.ts'
import type { Principal, SessionContext } from './session.ts'

/** Which keys somebody may publish with, for `Broker.destination`. */
export function keyCheck({ security }: SessionContext, principal: Principal): KeyCheck {
  return (exchange, key) => security.authorizeTopic(principal, exchange, key, 'write')
}
