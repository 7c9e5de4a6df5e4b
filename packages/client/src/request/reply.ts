import { CORRELATION_ID_HEADER, REPLY_TO_HEADER, replyDestination } from '@millrace/wire'
import type { PublishOptions, StoredMessage } from '../api.ts'
import { MillraceError } from '../errors.ts'

/** Where an answer to a message goes, and the headers that it carries. */
export interface ReplyAddress {
  readonly destination: string
  readonly headers: NonNullable<PublishOptions['headers']>
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
