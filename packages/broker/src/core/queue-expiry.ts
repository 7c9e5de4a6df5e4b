/**
 * Deletes queues that nobody has used for so long as their `expireMs` says. To consume, to ask for a message, to create it again, to change its settings and
 * `useQueue` is use, and so is a restart; to publish is not, and neither is a consumer that polls and holds nothing.
 */
import type { Queue } from './entities.ts'
import type { Shard } from './shard.ts'
import type { Deadline } from './timers.ts'

/** Use is looked for so often in the time that a queue has. */
const LOOKS = 8

export class QueueExpiry {
  readonly #shard: Shard
  readonly #remove: (queue: Queue) => void
  readonly #watches = new Map<Queue, Watch>()

  constructor(shard: Shard, remove: (queue: Queue) => void) {
    this.#shard = shard
    this.#remove = remove
  }

  /** It is new, or its settings changed. */
  watch(queue: Queue): void {
    this.#watches.get(queue)?.end()
    this.#watches.delete(queue)
    if (queue.expireMs === undefined) return
    const watch = new Watch(this.#shard, queue, queue.expireMs, () => {
      this.#watches.delete(queue)
      this.#remove(queue)
    })
    this.#watches.set(queue, watch)
  }

  /** Somebody wants it, perhaps only for a moment. */
  used(queue: Queue): void {
    this.#watches.get(queue)?.used()
  }

  forget(queue: Queue): void {
    this.#watches.get(queue)?.end()
    this.#watches.delete(queue)
  }
}

/** Time without use is counted from the first look that finds none: it may have ended just before. */
class Watch implements Deadline {
  readonly #shard: Shard
  readonly #queue: Queue
  readonly #expireMs: number
  readonly #expired: () => void
  #idleSinceMs: number
  #wasUsed = true
  #over = false

  constructor(shard: Shard, queue: Queue, expireMs: number, expired: () => void) {
    this.#shard = shard
    this.#queue = queue
    this.#expireMs = expireMs
    this.#expired = expired
    this.#idleSinceMs = shard.platform.clock.monotonicMs()
    this.#sleep(this.#idleSinceMs)
  }

  used(): void {
    this.#wasUsed = true
  }

  end(): void {
    this.#over = true
  }

  due(nowMs: number): void {
    if (this.#over) return
    const isInUse = this.#queue.group.isUsed
    if (this.#wasUsed || isInUse) this.#idleSinceMs = nowMs
    this.#wasUsed = isInUse
    if (nowMs - this.#idleSinceMs >= this.#expireMs) {
      this.#over = true
      this.#expired()
    } else this.#sleep(nowMs)
  }

  #sleep(nowMs: number): void {
    this.#shard.timers.add(nowMs + Math.max(1, Math.ceil(this.#expireMs / LOOKS)), this)
  }
}
