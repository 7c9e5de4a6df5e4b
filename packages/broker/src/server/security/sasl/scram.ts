import { timingSafeEqual } from 'node:crypto'
import { MillraceError } from '../../../base/errors.ts'
import { type HashName, hmac, digest, type ScramKeys } from '../password-keys.ts'
import type { SaslExchange, SaslStep } from '../../../protocols/security.ts'

const MESSAGE_BYTES_MAX = 4096

export interface ScramSettings {
  readonly hash: HashName
  /** Printable ASCII without commas, from a source that nobody can foretell. */
  readonly nonce: string
  /** Of a user, or for a name that is none keys that look like it. @throws Error for a name that cannot be one */
  readonly keysOf: (user: string) => ScramKeys
  /** Called at the end, with whether the proof was right. @throws MillraceError unless it was, and for who is no user */
  readonly verdict: (user: string, isProven: boolean) => string
}

type State =
  | { readonly name: 'first' }
  | {
      readonly name: 'final'
      readonly user: string
      readonly keys: ScramKeys
      readonly nonce: string
      /** What the client must repeat of its first message. */
      readonly binding: string
      readonly authMessageStart: string
    }
  | { readonly name: 'over' }

/** SCRAM (RFC 5802) with the hash of RFC 5802's successors, without channel binding: server side. */
export function scramExchange(settings: ScramSettings): SaslExchange {
  let state: State = { name: 'first' }
  return {
    respond(message) {
      const now = state
      // Whatever fails ends it: no state is left in which another guess counts.
      state = { name: 'over' }
      if (message.length > MESSAGE_BYTES_MAX) throw malformed('it is too long')
      const text = Buffer.from(message).toString('utf8')
      if (now.name === 'over') throw malformed('the exchange is over')
      if (now.name === 'final') return finish(settings, now, text)
      const begun = begin(settings, text)
      state = begun.state
      return begun.step
    },
  }
}

/** `n,,n=user,r=nonce` -> `r=nonce...,s=salt,i=iterations` */
function begin({ keysOf, nonce: own }: ScramSettings, text: string): { state: State; step: SaslStep } {
  const match = /^(([ny]),(a=[^,]*)?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/.exec(text)
  if (match === null) throw malformed('the first message must be n,,n=USER,r=NONCE; channel binding is not offered')
  const [, header, , as, bare, encodedUser, clientNonce] = match
  const user = decodeName(encodedUser!)
  if (as !== undefined && decodeName(as.slice(2)) !== user)
    throw new MillraceError(
      'unauthorized',
      `${JSON.stringify(user)} may not act as somebody else: leave the authorization identity empty.`,
    )
  const keys = keysOf(user)
  const nonce = clientNonce! + own
  const challenge = `r=${nonce},s=${keys.salt},i=${keys.iterations}`
  return {
    state: {
      name: 'final',
      user,
      keys,
      nonce,
      binding: Buffer.from(header!).toString('base64'),
      authMessageStart: `${bare!},${challenge}`,
    },
    step: { done: false, challenge: Buffer.from(challenge) },
  }
}

/** `c=biws,r=nonce,p=proof` -> `v=signature` */
function finish({ hash, verdict }: ScramSettings, state: Extract<State, { name: 'final' }>, text: string): SaslStep {
  const match = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/.exec(text)
  if (match === null) throw malformed('the last message must be c=BINDING,r=NONCE,p=PROOF')
  const [, withoutProof, binding, nonce, encodedProof] = match
  if (binding !== state.binding || nonce !== state.nonce) throw malformed('it does not belong to the first message')
  const authMessage = `${state.authMessageStart},${withoutProof!}`
  const storedKey = Buffer.from(state.keys.storedKey, 'base64')
  const signature = hmac(hash, storedKey, authMessage)
  const proof = Buffer.from(encodedProof!, 'base64')
  // A proof of another length cannot be right; it is compared all the same.
  const clientKey = Buffer.alloc(signature.length)
  for (let n = 0; n < clientKey.length; n++) clientKey[n] = signature[n]! ^ (proof[n] ?? 0)
  const isProven = timingSafeEqual(digest(hash, clientKey), storedKey) && proof.length === signature.length
  const user = verdict(state.user, isProven)
  const serverSignature = hmac(hash, Buffer.from(state.keys.serverKey, 'base64'), authMessage)
  return { done: true, challenge: Buffer.from(`v=${serverSignature.toString('base64')}`), user }
}

/** A comma is written `=2C`, an equals sign `=3D`; no other use of `=` is legal. */
function decodeName(text: string): string {
  if (/=(?!2C|3D)/.test(text)) throw malformed('the user name has a `=` that is not =2C or =3D')
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

function malformed(why: string): MillraceError {
  return new MillraceError('unauthorized', `The SCRAM message cannot be taken: ${why}.`)
}
