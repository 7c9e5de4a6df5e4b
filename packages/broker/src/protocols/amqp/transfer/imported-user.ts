import { MillraceError } from '../../../base/errors.ts'
import type { RabbitmqPasswordHash, UserLimits } from '../../permissions.ts'
import type { UserDefinition } from '../../security.ts'
import type { UserEntry } from './definition-shapes.ts'

const algorithms: Readonly<Record<string, RabbitmqPasswordHash['algorithm']>> = {
  rabbit_password_hashing_sha256: 'sha256',
  rabbit_password_hashing_sha512: 'sha512',
}

/** A user as RabbitMQ's definitions and its management API describe it. @throws MillraceError `bad_request` */
export function userDefinition(entry: UserEntry): UserDefinition {
  const { name, password, tags = [], millrace = {} } = entry
  const { rules, roles, passwordKeys } = millrace
  const passwordHash = passwordHashOf(entry)
  return {
    name,
    tags: tagsOf(tags),
    limits: userLimitsOf(entry.limits),
    ...(password === undefined ? {} : { password }),
    ...(passwordHash === undefined || password !== undefined ? {} : { passwordHash }),
    ...(rules === undefined ? {} : { rules }),
    ...(roles === undefined ? {} : { roles }),
    ...(passwordKeys === undefined ? {} : { passwordKeys }),
  }
}

/** An empty hash is that of a user who cannot log in with a password. */
function passwordHashOf({ password_hash: hash, hashing_algorithm: name }: UserEntry): RabbitmqPasswordHash | undefined {
  if (hash === undefined || hash === '') return undefined
  const algorithm = algorithms[name ?? 'rabbit_password_hashing_sha256']
  if (algorithm !== undefined) return { algorithm, hash }
  throw new MillraceError('bad_request', `passwords that were hashed with ${name} are not taken: give the user a new one`)
}

/** @param tags a list, or a text with commas */
function tagsOf(tags: string | readonly string[]): readonly string[] {
  const list = typeof tags === 'string' ? tags.split(',') : tags
  return list.map((tag) => tag.trim()).filter((tag) => tag !== '')
}

/** A negative limit is none. */
export function userLimitsOf(limits: UserEntry['limits']): UserLimits {
  const given = (Array.isArray(limits) || limits === undefined ? {} : limits) as Readonly<Record<string, number | undefined>>
  const [connections, channels] = [given['max-connections'], given['max-channels']]
  return {
    ...(connections === undefined || connections < 0 ? {} : { maxConnections: connections }),
    ...(channels === undefined || channels < 0 ? {} : { maxChannels: channels }),
  }
}
