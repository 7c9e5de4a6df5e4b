import type { DeathEntry, RecordHeader } from '@millrace/wire'
import type { PublishTarget } from '../publish-target.ts'
import type { Waits } from '../router/waits.ts'
import type { Place } from '../shared-append.ts'

/** A message that died, as its letter will be. */
export interface DeadMessage {
  /** `queue:NAME` or `topic:NAME/SUBSCRIPTION` where it died. */
  readonly source: string
  readonly key: Uint8Array | null
  /** Those that it had, and those that tell of its death. */
  readonly headers: readonly RecordHeader[]
  /** The newest first, this one included. */
  readonly history: readonly DeathEntry[]
}

/** Where letters go. */
export interface Way {
  readonly places: readonly Place[]
  /** Delayed exchanges where they wait first. */
  readonly waits: Waits | undefined
}

/** There letters are dropped. */
export const NOWHERE: Way = { places: [], waits: undefined }

/** What becomes of it. */
export interface Mailing {
  /** The same object for messages that go the same way. */
  readonly way: Way
  /** What the letter says it was sent with. */
  readonly key: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** Where dead letters can be put. */
export interface LetterBox {
  /** Whether a history of deaths is kept, which is how this box knows circles. Otherwise what died too often is held back. */
  readonly keepsHistory: boolean
  mail(message: DeadMessage): Mailing
}

/** A topic or queue. */
export class TargetBox implements LetterBox {
  readonly keepsHistory = false
  readonly #target: PublishTarget
  readonly #ways: Way[] = []

  constructor(target: PublishTarget) {
    this.#target = target
  }

  mail({ key, headers }: DeadMessage): Mailing {
    const partition = this.#target.place(key, headers)
    const way = (this.#ways[partition + 1] ??= { places: [{ target: this.#target, partition }], waits: undefined })
    return { way, key, headers }
  }
}
