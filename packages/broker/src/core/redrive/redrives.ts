/** All redrives: those under way, and the last that have ended. */
import { MillraceError } from '../../base/errors.ts'
import type { Ticket } from '../../storage/log-store.ts'
import type { RedriveInfo, RedriveSpec } from '../broker.ts'
import type { CommittedWaiters } from '../committed-waiters.ts'
import type { Cursor } from '../delivery/cursor.ts'
import { parseAddress } from '../names.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Registry } from '../registry.ts'
import type { Shard } from '../shard.ts'
import { ENDED_MAX, RUNNING_MAX } from './limits.ts'
import { RedriveRun } from './redrive-run.ts'
import { checkRedrive } from './redrive-spec.ts'

interface Ended {
  readonly info: RedriveInfo
  /** Resolves when what it did is durable. */
  readonly durable: Promise<void>
}

export class Redrives {
  readonly #shard: Shard
  readonly #registry: Registry
  readonly #waiters: CommittedWaiters
  readonly #running = new Map<number, RedriveRun>()
  readonly #ended = new Map<number, Ended>()
  readonly #watchers = new Map<number, (() => void)[]>()
  #nextId = 1

  constructor(shard: Shard, registry: Registry, waiters: CommittedWaiters) {
    this.#shard = shard
    this.#registry = registry
    this.#waiters = waiters
  }

  /** @throws MillraceError `bad_request`, `illegal_name`, `bad_selector`, `not_found`, `offset_out_of_range`, `limit_reached` */
  start(spec: RedriveSpec): RedriveInfo {
    const checked = checkRedrive(spec)
    const { group } = this.#registry.queue(checked.queue)
    if (checked.to !== undefined && this.target(checked.to) === undefined)
      throw new MillraceError('not_found', `${checked.to} does not exist: create it first`)
    if (this.#running.size >= RUNNING_MAX)
      throw new MillraceError('limit_reached', `${RUNNING_MAX} redrives are under way: wait for one of them, or cancel it`)
    const { offset, partition, source } = checked
    const one = group.cursor(partition)
    if (offset !== undefined && (one === undefined || !this.#isReady(one, offset))) {
      throw new MillraceError(
        'offset_out_of_range',
        `${source} has no message ${offset}${partition > 0 ? ` of priority ${partition}` : ''} that could be moved: it does not exist, or a consumer holds it`,
      )
    }
    const run = new RedriveRun(
      this.#shard,
      this,
      this.#nextId++,
      checked,
      offset === undefined ? group.cursors.toReversed() : [one!],
    )
    this.#running.set(run.id, run)
    this.#shard.dispatcher.wake(run)
    return run.info
  }

  /** @throws MillraceError `not_found` */
  info(id: number): RedriveInfo {
    const info = this.#running.get(id)?.info ?? this.#ended.get(id)?.info
    if (info === undefined) throw unknown(id)
    return info
  }

  list(): readonly RedriveInfo[] {
    return [...[...this.#ended.values()].map((ended) => ended.info), ...[...this.#running.values()].map((run) => run.info)]
  }

  /** Resolves when it has ended and what it did is durable. @throws MillraceError `not_found`, `outcome_unknown` */
  async whenEnded(id: number): Promise<RedriveInfo> {
    if (this.#running.has(id)) {
      await new Promise<void>((resolve) => {
        const watchers = this.#watchers.get(id) ?? []
        watchers.push(resolve)
        this.#watchers.set(id, watchers)
      })
    }
    const ended = this.#ended.get(id)
    if (ended === undefined) throw unknown(id)
    await ended.durable
    return ended.info
  }

  /** What was moved stays where it is now. @returns whether it was under way @throws MillraceError `not_found` */
  cancel(id: number): boolean {
    const run = this.#running.get(id)
    if (run === undefined) {
      this.info(id)
      return false
    }
    run.cancel()
    return true
  }

  /** There is room for more. */
  relieved(): void {
    for (const run of this.#running.values()) run.resume()
  }

  stop(): void {
    for (const run of this.#running.values()) run.cancel()
  }

  #isReady(cursor: Cursor, offset: number): boolean {
    const { end } = this.#shard.store.bounds(cursor.log.id)
    return cursor.readyFrom(offset, Math.min(offset + 1, end), true) !== undefined
  }

  // ---- for the runs -------------------------------------------------------------------------------------------------

  /** A message goes back to a queue or topic; into one subscription of a topic it cannot. */
  target(address: string): PublishTarget | undefined {
    try {
      const { subscription } = parseAddress(address)
      return subscription === undefined ? this.#registry.target(address) : undefined
    } catch (error) {
      // The header may be anything.
      if (error instanceof MillraceError) return undefined
      throw error
    }
  }

  ended(run: RedriveRun, ticket: Ticket): void {
    this.#running.delete(run.id)
    const durable = this.#waiters.wait(ticket)
    // Whoever waits for it hears of a failure.
    durable.catch(() => undefined)
    this.#ended.set(run.id, { info: run.info, durable })
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(this.#ended.keys().next().value!)
    const watchers = this.#watchers.get(run.id) ?? []
    this.#watchers.delete(run.id)
    for (const watcher of watchers) watcher()
  }
}

function unknown(id: number): MillraceError {
  return new MillraceError(
    'not_found',
    `there is no redrive ${id}: it never was, or is too long ago (a restart forgets them too)`,
  )
}
