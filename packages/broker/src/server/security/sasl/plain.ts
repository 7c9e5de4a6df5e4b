import { MillraceError } from '../../../base/errors.ts'
import type { SaslExchange } from '../../../protocols/security.ts'

const MESSAGE_BYTES_MAX = 4096
const NOTHING = new Uint8Array()

/** PLAIN (RFC 4616): `authzid NUL user NUL password`, in one message. @param verify throws unless it is the user's password */
export function plainExchange(verify: (user: string, password: string) => string): SaslExchange {
  return {
    respond(message) {
      const [as, user, password, ...rest] = Buffer.from(message).toString('utf8').split('\0')
      if (message.length > MESSAGE_BYTES_MAX || password === undefined || user === '' || rest.length > 0)
        throw new MillraceError('unauthorized', 'A PLAIN message is an identity, a user and a password, each after a zero byte.')
      if (as !== '' && as !== user)
        throw new MillraceError(
          'unauthorized',
          `${JSON.stringify(user)} may not act as somebody else: leave the authorization identity empty.`,
        )
      return { done: true, challenge: NOTHING, user: verify(user!, password) }
    },
  }
}
