/** SCRAM-SHA-256 (RFC 5802, RFC 7677), client side: the broker learns nothing of the password, and proves that it knows it. */
import { prepareText } from '@millrace/wire'
import { MillraceError } from './errors.ts'

export const SCRAM_MECHANISM = 'SCRAM-SHA-256'
const NONCE_BYTES = 18
const ITERATIONS_MIN = 4096
/** More would keep this machine busy for seconds. */
const ITERATIONS_MAX = 10_000_000
const KEY_BITS = 256

export interface ScramClient {
  /** What goes into `hello`. */
  readonly first: string
  /** @param challenge of the broker @throws MillraceError `unauthorized` for one that is not to be answered */
  answer(challenge: string): Promise<string>
  /** Whether the broker's last word proves that it knows the password. */
  isProof(proof: unknown): boolean
}

/** Whether this platform has what it takes: browsers have it on pages that came by HTTPS or from this machine. */
export function canScram(): boolean {
  return (globalThis.crypto as Crypto | undefined)?.subtle !== undefined
}

/** @param nonce for tests; by default chance. @throws MillraceError `bad_request` for a user or password with control characters */
export function scramClient(user: string, password: string, nonce: string = randomNonce()): ScramClient {
  const name = prepared(user, 'user').replaceAll('=', '=3D').replaceAll(',', '=2C')
  const secret = prepared(password, 'password')
  const bare = `n=${name},r=${nonce}`
  let expectedProof: string | undefined
  return {
    first: `n,,${bare}`,
    async answer(challenge) {
      const match = /^r=([^,]+),s=([A-Za-z0-9+/=]+),i=(\d{1,8})$/.exec(challenge)
      const iterations = Number(match?.[3])
      if (!match?.[1]?.startsWith(nonce) || match[1] === nonce || iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX)
        throw new MillraceError('unauthorized', 'The broker answered the login with something that is not to be trusted.')
      const withoutProof = `c=biws,r=${match[1]}`
      const authMessage = `${bare},${challenge},${withoutProof}`
      const salted = await saltedPassword(secret, fromBase64(match[2]!), iterations)
      const clientKey = await hmac(salted, 'Client Key')
      const storedKey = new Uint8Array(await crypto.subtle.digest('SHA-256', clientKey))
      const signature = await hmac(storedKey, authMessage)
      const proof = clientKey.map((byte, n) => byte ^ signature[n]!)
      expectedProof = `v=${toBase64(await hmac(await hmac(salted, 'Server Key'), authMessage))}`
      return `${withoutProof},p=${toBase64(proof)}`
    },
    isProof: (given) => expectedProof !== undefined && given === expectedProof,
  }
}

async function saltedPassword(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(password), 'PBKDF2', false, ['deriveBits'])
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, key, KEY_BITS))
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, new TextEncoder().encode(text)))
}

function prepared(text: string, what: string): string {
  const result = prepareText(text)
  if (result !== undefined) return result
  throw new MillraceError('bad_request', `The ${what} has control characters.`)
}

function randomNonce(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)))
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch (cause) {
    throw new MillraceError('unauthorized', 'The broker answered the login with something that is no base64.', { cause })
  }
}
