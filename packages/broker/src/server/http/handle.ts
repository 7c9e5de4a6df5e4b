import { MillraceError } from '../../base/errors.ts'

/** What a handle stands for. Opaque to clients. */
export interface Handle {
  /** Id of the lease consumer that holds the message: unknown after a restart, which makes the handle stale. */
  readonly consumer: string
  readonly partition: number
  readonly offset: number
  readonly attempt: number
}

export function encodeHandle({ consumer, partition, offset, attempt }: Handle): string {
  return Buffer.from(`${consumer}.${partition}.${offset}.${attempt}`, 'latin1').toString('base64url')
}

/** @throws MillraceError `bad_request` */
export function decodeHandle(text: string): Handle {
  const match = /^([0-9a-z]{1,32})\.(\d{1,10})\.(\d{1,15})\.(\d{1,10})$/.exec(Buffer.from(text, 'base64url').toString('latin1'))
  if (match === null)
    throw new MillraceError('bad_request', `${JSON.stringify(text.slice(0, 100))} is not a handle of a received message.`)
  return { consumer: match[1]!, partition: Number(match[2]), offset: Number(match[3]), attempt: Number(match[4]) }
}
