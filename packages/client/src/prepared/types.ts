import type { Body, PublishOptions, StoredMessage } from '../api.ts'

/** What is to become of a prepared message; `unknown`: ask again later. */
export type Decision = 'commit' | 'rollback' | 'unknown'

export interface PreparedProducerOptions {
  /**
   * Asked about a message of the group of which nothing was heard: was what belongs to it done? Any producer of the group may be asked,
   * this process or another. What it throws counts as `unknown`.
   */
  readonly check: (message: PreparedForCheck) => Decision | Promise<Decision>
  /** How long a message is left to its producer before it is asked about. Default 60,000. */
  readonly firstCheckMs?: number
  /** Between two questions. Default 60,000. */
  readonly checkEveryMs?: number
  /** Questions before the message goes to the dead letters, `queue:prepared-GROUP-dead`. Default 15. */
  readonly checksMax?: number
  /** Called for what goes wrong while nobody waits: a check that throws. */
  readonly onError?: (error: unknown) => void
}

/** A message whose producer is asked about it. */
export interface PreparedForCheck extends StoredMessage {
  /** Where it goes if it is committed. */
  readonly destination: string
  /** 1 for the first question. */
  readonly attempt: number
}

export type PreparedOptions = Omit<PublishOptions, 'signal' | 'delayMs' | 'deliverAt'>

/** A message that the broker keeps and nobody sees, until its producer decides. */
export interface PreparedMessage {
  /** It becomes visible: at once and durably. @throws MillraceError `stale_delivery` when `check` is being asked already, and decides */
  commit(): Promise<void>
  /** It is gone. @throws MillraceError as `commit` */
  rollback(): Promise<void>
}

/**
 * Messages in two steps, for what must happen together with something that is not in the broker: prepare the message, do the other thing,
 * then commit. If the producer dies in between, `check` decides.
 */
export interface PreparedProducer extends AsyncDisposable {
  /** Resolves when the broker has the message durably. */
  prepare(destination: string, body: Body, options?: PreparedOptions): Promise<PreparedMessage>
  /**
   * Prepares a message, runs `act`, and does as it decides. When it throws, or cannot tell the broker, `check` is asked later.
   * @returns what `act` decided
   */
  send(destination: string, body: Body, act: () => Decision | Promise<Decision>, options?: PreparedOptions): Promise<Decision>
  /** Answers no more questions. Messages that are prepared stay so. */
  close(): Promise<void>
}
