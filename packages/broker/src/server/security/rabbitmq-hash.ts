import { timingSafeEqual } from 'node:crypto'
import { MillraceError } from '../../base/errors.ts'
import type { RabbitmqPasswordHash } from '../../protocols/permissions.ts'
import { digest, type HashName } from './password-keys.ts'

const SALT_BYTES = 4
const hashBytes: Readonly<Record<HashName, number>> = { sha256: 32, sha512: 64 }

/** Whether a password is that of which RabbitMQ keeps the hash (`rabbit_password_hashing_sha256`, `_sha512`). */
export function isRabbitmqPassword({ algorithm, hash }: RabbitmqPasswordHash, password: string): boolean {
  const bytes = Buffer.from(hash, 'base64')
  const salted = Buffer.concat([bytes.subarray(0, SALT_BYTES), Buffer.from(password)])
  return timingSafeEqual(digest(algorithm, salted), bytes.subarray(SALT_BYTES))
}

/** @throws MillraceError `bad_request` */
export function checkRabbitmqHash({ algorithm, hash }: RabbitmqPasswordHash): void {
  const bytes = SALT_BYTES + hashBytes[algorithm]
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(hash) && Buffer.from(hash, 'base64').length === bytes) return
  throw new MillraceError(
    'bad_request',
    `The hash of a password is not valid: for ${algorithm} it is the base64 of ${bytes} bytes.`,
  )
}
