/** What is kept of a password: the keys of SCRAM (RFC 5802, RFC 7677), from which it cannot be had back, and which serve all mechanisms. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'

export type HashName = 'sha256' | 'sha512'

/** All but `iterations` in base64. */
export interface ScramKeys {
  readonly salt: string
  readonly iterations: number
  readonly storedKey: string
  readonly serverKey: string
}

/** At least one; both are made of the same password, unless somebody else made them. */
export type PasswordKeys = Readonly<Partial<Record<HashName, ScramKeys>>>

export const ITERATIONS = 10_000
const SALT_BYTES = 16
const hashBytes: Readonly<Record<HashName, number>> = { sha256: 32, sha512: 64 }

/** @param password prepared (`prepareText`) */
export function passwordKeys(password: string): PasswordKeys {
  return {
    sha256: scramKeys('sha256', password, randomBytes(SALT_BYTES), ITERATIONS),
    sha512: scramKeys('sha512', password, randomBytes(SALT_BYTES), ITERATIONS),
  }
}

export function scramKeys(hash: HashName, password: string, salt: Uint8Array, iterations: number): ScramKeys {
  return keysOfSalted(hash, pbkdf2Sync(password, salt, iterations, hashBytes[hash], hash), salt, iterations)
}

/** @param salted what PBKDF2 makes of a password: Hi() of RFC 5802 */
export function keysOfSalted(hash: HashName, salted: Uint8Array, salt: Uint8Array, iterations: number): ScramKeys {
  return {
    salt: Buffer.from(salt).toString('base64'),
    iterations,
    storedKey: digest(hash, hmac(hash, salted, 'Client Key')).toString('base64'),
    serverKey: hmac(hash, salted, 'Server Key').toString('base64'),
  }
}

/** Keys that no password has, the same for a name each time and in every other respect like those of a user. */
export function keysOfNobody(hash: HashName, secret: string, user: string): ScramKeys {
  const key = createHmac('sha512', secret).update(user).digest()
  return {
    salt: key.subarray(0, SALT_BYTES).toString('base64'),
    iterations: ITERATIONS,
    storedKey: randomBytes(hashBytes[hash]).toString('base64'),
    serverKey: key.subarray(0, hashBytes[hash]).toString('base64'),
  }
}

export function isPassword(hash: HashName, keys: ScramKeys, password: string): boolean {
  const { storedKey } = scramKeys(hash, password, Buffer.from(keys.salt, 'base64'), keys.iterations)
  return timingSafeEqual(Buffer.from(storedKey, 'base64'), Buffer.from(keys.storedKey, 'base64'))
}

export function hmac(hash: HashName, key: Uint8Array, text: string): Buffer {
  return createHmac(hash, key).update(text).digest()
}

export function digest(hash: HashName, bytes: Uint8Array | string): Buffer {
  return createHash(hash).update(bytes).digest()
}
