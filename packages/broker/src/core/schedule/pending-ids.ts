/** All ids of scheduled messages that were given out and are still pending, by the topic or queue that they are for. */
import { BLOCK_IDS, IdBlock } from './id-block.ts'

/** What is pending for one topic or queue. */
export class TargetIds {
  /** Its entity in the state log. */
  readonly entity: number
  /** Messages. */
  pending = 0
  /** In order of their numbers. New ids come from the last one, which stays when it is empty. */
  readonly blocks: OwnedBlock[] = []

  constructor(entity: number) {
    this.entity = entity
  }
}

export interface OwnedBlock {
  readonly ids: IdBlock
  readonly owner: TargetIds
}

/**
 * Ids grow with each target, and each block of them belongs to one target: an id tells whom it is for. A message is pending as
 * long as its id is in here, wherever its bytes are.
 */
export class PendingIds {
  readonly targets: Map<number, TargetIds> = new Map()
  /** By number, ascending. */
  #blocks = new Map<number, OwnedBlock>()
  /** Block 0 gives no ids: 0 stands for what was published at once. */
  nextBlock = 1
  pending = 0

  get blocks(): Iterable<OwnedBlock> {
    return this.#blocks.values()
  }

  /** @returns the first of `count` consecutive ids; `touched` is told of each block that gives some */
  allocate(entity: number, count: number, touched: (block: OwnedBlock) => void): number {
    let block = this.targets.get(entity)?.blocks.at(-1)
    const room = block === undefined ? 0 : BLOCK_IDS - block.ids.used
    if (block === undefined || count > room) block = this.extend(this.nextBlock, entity, 0)
    const first = block.ids.number * BLOCK_IDS + block.ids.used
    for (let left = count; left > 0;) {
      const part = Math.min(left, BLOCK_IDS - block.ids.used)
      this.extend(block.ids.number, entity, block.ids.used + part)
      touched(block)
      left -= part
      if (left > 0) block = this.extend(this.nextBlock, entity, 0)
    }
    return first
  }

  /** Gives out the ids of a block below `used`; makes the block if it is new. */
  extend(number: number, entity: number, used: number): OwnedBlock {
    const block = this.#blocks.get(number) ?? this.add(entity, new IdBlock(number))
    const before = block.ids.size
    block.ids.extend(used)
    this.#count(block.owner, block.ids.size - before)
    return block
  }

  add(entity: number, ids: IdBlock): OwnedBlock {
    let owner = this.targets.get(entity)
    if (owner === undefined) this.targets.set(entity, (owner = new TargetIds(entity)))
    const block = { ids, owner }
    this.#blocks.set(ids.number, block)
    this.nextBlock = Math.max(this.nextBlock, ids.number + 1)
    const last = owner.blocks.at(-1)
    owner.blocks.push(block)
    this.#count(owner, ids.size)
    // Not the one that gives new ids any more.
    if (last !== undefined && last.ids.size === 0) this.drop(last)
    return block
  }

  targetOf(id: number): TargetIds | undefined {
    return this.#blocks.get(Math.floor(id / BLOCK_IDS))?.owner
  }

  has(id: number): boolean {
    return this.#blocks.get(Math.floor(id / BLOCK_IDS))?.ids.has(id % BLOCK_IDS) === true
  }

  /** How many of `first..last` are pending. */
  count(first: number, last: number): number {
    let count = 0
    eachPart(first, last, (number, from, to) => (count += this.#blocks.get(number)?.ids.count(from, to) ?? 0))
    return count
  }

  /** @returns how many of `first..last` were pending */
  remove(first: number, last: number): number {
    let removed = 0
    eachPart(first, last, (number, from, to) => {
      const block = this.#blocks.get(number)
      if (block === undefined) return
      const here = block.ids.remove(from, to)
      this.#count(block.owner, -here)
      removed += here
      if (block.ids.size === 0 && block !== block.owner.blocks.at(-1)) this.drop(block)
    })
    return removed
  }

  /** Forgets all that is pending for a target. @returns how many messages that were */
  removeTarget(entity: number): number {
    const target = this.targets.get(entity)
    if (target === undefined) return 0
    const { pending } = target
    for (const block of target.blocks) this.#blocks.delete(block.ids.number)
    this.pending -= pending
    this.targets.delete(entity)
    return pending
  }

  drop(block: OwnedBlock): void {
    const { owner, ids } = block
    this.#count(owner, -ids.size)
    this.#blocks.delete(ids.number)
    owner.blocks.splice(owner.blocks.indexOf(block), 1)
    if (owner.blocks.length === 0) this.targets.delete(owner.entity)
  }

  /** After blocks were added out of order. */
  sort(): void {
    this.#blocks = new Map([...this.#blocks].toSorted(([a], [b]) => a - b))
    for (const { blocks } of this.targets.values()) blocks.sort((a, b) => a.ids.number - b.ids.number)
  }

  #count(owner: TargetIds, more: number): void {
    owner.pending += more
    this.pending += more
  }
}

/** Cuts a range of ids at the borders of blocks. */
function eachPart(first: number, last: number, part: (block: number, from: number, to: number) => void): void {
  for (let id = first; id <= last;) {
    const number = Math.floor(id / BLOCK_IDS)
    const end = Math.min(last, number * BLOCK_IDS + BLOCK_IDS - 1)
    part(number, id % BLOCK_IDS, end % BLOCK_IDS)
    id = end + 1
  }
}
