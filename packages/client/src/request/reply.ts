import { CORRELATION_ID_HEADER, REPLY_TO_HEADER, replyDestination } from '@millrace/wire'
import type { PublishOptions, StoredMessage } from '../api.ts'
import { MillraceError } from '../errors.ts'

/** Where an answer to a message goes, and the headers that it carries. */
export interface ReplyAddress {
  readonly destination: string
  readonly headers: NonNullable<PublishOptions['headers']>
}

/** @returns what to tell of it when an answer failed because nobody waits for it any more */
export function askerGone(error: unknown, destination: string): MillraceError | undefined {
  if (!(error instanceof MillraceError) || error.code !== 'not_found') return undefined
  const what = `Whoever asked does not wait any more: there is no ${destination}, and nothing was published. Settle the message without an answer.`
  return new MillraceError('not_found', what, { cause: error })
}

const decoder = new TextDecoder()

/** @throws MillraceError `bad_request` when the message asks for no answer */
export function replyAddress({ headers, offset }: StoredMessage): ReplyAddress {
  const to = headers[REPLY_TO_HEADER]
  if (to === undefined || to === null) {
    throw new MillraceError('bad_request', `Message ${offset} asks for no answer: it has no header \`${REPLY_TO_HEADER}\`.`)
  }
  const correlation = headers[CORRELATION_ID_HEADER]
  return {
    destination: replyDestination(decoder.decode(to)),
    headers: correlation === undefined || correlation === null ? {} : { [CORRELATION_ID_HEADER]: correlation },
  }
}
