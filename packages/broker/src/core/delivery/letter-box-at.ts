import { parseExchangeAddress } from '@millrace/wire'
import type { Registry } from '../registry.ts'
import { type LetterBox, TargetBox } from './letter-box.ts'

/** Where dead letters for an address go; undefined when there is no such topic or queue. An exchange may come later: until then its letters are dropped. */
export function letterBoxAt(registry: Registry, address: string): LetterBox | undefined {
  const exchange = parseExchangeAddress(address)
  if (exchange !== undefined) return registry.router.letterBox(exchange.name, exchange.key)
  const target = registry.target(address)
  return target === undefined ? undefined : new TargetBox(target)
}
