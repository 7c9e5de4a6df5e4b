import type { Definition } from '../definitions.ts'
import type { Registry } from '../registry.ts'
import type { StateCell } from '../state/state-log.ts'
import type { BoundTo } from './bound-to.ts'

/** Something that the state log defines. */
export interface RecoveredDefinition<Entity> {
  readonly entity: Entity
  readonly definition: Definition
}

/** Exchanges first, since bindings refer to them. Topics and queues are restored already. @returns the cells of those that are there */
export function restoreRouter<Entity extends { readonly id: number }>(
  { router, queues, topics }: Registry,
  found: readonly RecoveredDefinition<Entity>[],
): (readonly [cell: StateCell, entity: Entity])[] {
  const cells: [StateCell, Entity][] = []
  for (const { entity, definition } of found) {
    if (definition.kind === 'exchange')
      cells.push([router.restoreExchange(entity.id, { ...definition.exchange, durable: true }), entity])
  }
  const ends = new Map<number, BoundTo>(router.restoredExchanges())
  for (const { target } of [...queues.values(), ...topics.values()]) ends.set(target.entity, target)
  for (const { entity, definition } of found) {
    if (definition.kind !== 'binding') continue
    const cell = router.restoreBinding(entity.id, definition, (end) => ends.get(end))
    if (cell !== undefined) cells.push([cell, entity])
  }
  return cells
}
