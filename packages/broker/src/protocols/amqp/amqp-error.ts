import { textSize } from '@millrace/wire'

/** Reply codes of the specification, and what each closes unless it is said otherwise. */
export const replyCodes = {
  'content-too-large': { code: 311, scope: 'channel' },
  'no-route': { code: 312, scope: 'channel' },
  'no-consumers': { code: 313, scope: 'channel' },
  'connection-forced': { code: 320, scope: 'connection' },
  'invalid-path': { code: 402, scope: 'connection' },
  'access-refused': { code: 403, scope: 'channel' },
  'not-found': { code: 404, scope: 'channel' },
  'resource-locked': { code: 405, scope: 'channel' },
  'precondition-failed': { code: 406, scope: 'channel' },
  'frame-error': { code: 501, scope: 'connection' },
  'syntax-error': { code: 502, scope: 'connection' },
  'command-invalid': { code: 503, scope: 'connection' },
  'channel-error': { code: 504, scope: 'connection' },
  'unexpected-frame': { code: 505, scope: 'connection' },
  'resource-error': { code: 506, scope: 'connection' },
  'not-allowed': { code: 530, scope: 'connection' },
  'not-implemented': { code: 540, scope: 'connection' },
  'internal-error': { code: 541, scope: 'connection' },
} as const

export type ReplyName = keyof typeof replyCodes
export type ErrorScope = 'channel' | 'connection'

const REPLY_TEXT_BYTES_MAX = 255

/** What ends a channel or a connection. `message` is for people; `replyText` is what goes over the wire. */
export class AmqpError extends Error {
  override readonly name = 'AmqpError'
  readonly reply: ReplyName
  readonly scope: ErrorScope
  /** Of the method that failed; 0 where it is not known. Whoever knows sets them. */
  classId = 0
  methodId = 0

  constructor(reply: ReplyName, message: string, scope: ErrorScope = replyCodes[reply].scope) {
    super(message)
    this.reply = reply
    this.scope = scope
  }

  get code(): number {
    return replyCodes[this.reply].code
  }

  /** `NOT_FOUND - no queue 'q' in vhost '/'`: clients look at the part before the dash. At most 255 bytes. */
  get replyText(): string {
    const text = `${this.reply.toUpperCase().replaceAll('-', '_')} - ${this.message}`
    if (textSize(text) <= REPLY_TEXT_BYTES_MAX) return text
    let short = text.slice(0, REPLY_TEXT_BYTES_MAX - 3)
    while (textSize(short) > REPLY_TEXT_BYTES_MAX - 3) short = short.slice(0, -1)
    return `${short}...`
  }
}
