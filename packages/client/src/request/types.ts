import type { Body, PublishOptions, StoredMessage } from '../api.ts'

export interface RequestOptions extends PublishOptions {
  /** How long to wait for answers. Default 30,000. */
  readonly timeoutMs?: number
}

/** A question that many may answer. */
export interface ManyAnswers {
  /** Ends after so many; or with those that came `until-timeout`. */
  readonly answers: number | 'until-timeout'
}

/** Asks over a queue or topic, and gets what those who consume from it reply. */
export interface Requesting {
  /**
   * Publishes a message and waits for the first answer to it (`message.reply` of whoever gets it).
   * @throws MillraceError `timeout` when none came in time, perhaps because nobody consumes; and what `publish` throws
   */
  request(destination: string, body: Body, options?: RequestOptions): Promise<StoredMessage>
  /** The same with many answers, in the order in which they come. Fewer than asked for end it with `timeout`. */
  request(destination: string, body: Body, options: RequestOptions & ManyAnswers): AsyncIterableIterator<StoredMessage>
}
