/** The file that holds the users: JSON, without any password or token in it. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { randomBytes } from 'node:crypto'
import { MillraceError } from '../../base/errors.ts'
import { check, type ObjectSchema, type Typed, typed } from '../../protocols/api/json-schema.ts'
import { permissionSettings } from '../../protocols/api/user-schemas.ts'
import type { RabbitmqPasswordHash, TopicPermission, UserLimits, VhostPermission } from '../../protocols/permissions.ts'
import type { PasswordKeys } from './password-keys.ts'

const VERSION = 1
const SECRET_BYTES = 32

export interface StoredToken {
  readonly id: string
  readonly label: string
  /** SHA-256 of the token, in base64: a token has more chance in it than could be guessed, so that is enough. */
  readonly hash: string
}

export interface StoredUser {
  readonly name: string
  readonly rules: readonly string[]
  readonly roles?: readonly string[]
  readonly tags?: readonly string[]
  readonly permissions?: readonly VhostPermission[]
  readonly topicPermissions?: readonly TopicPermission[]
  readonly limits?: UserLimits
  readonly password?: PasswordKeys
  /** In place of `password`, where somebody else made it. */
  readonly passwordHash?: RabbitmqPasswordHash
  readonly tokens?: readonly StoredToken[]
}

export interface StoredUsers {
  readonly version: number
  /** Makes up salts for names that are none. */
  readonly secret: string
  readonly users: readonly StoredUser[]
}

const text = { type: 'string', maxLength: 1000 } as const
const texts = { type: 'array', items: text } as const
const keys = {
  type: 'object',
  properties: {
    salt: text,
    iterations: { type: 'integer', minimum: 4096, maximum: 10_000_000 },
    storedKey: text,
    serverKey: text,
  },
  required: ['salt', 'iterations', 'storedKey', 'serverKey'],
  additionalProperties: false,
} as const

/** What is kept of a password. */
export const passwordKeysSchema: Typed<PasswordKeys, ObjectSchema> = typed({
  type: 'object',
  properties: { sha256: keys, sha512: keys },
  additionalProperties: false,
})

const schema: Typed<StoredUsers> = typed({
  type: 'object',
  properties: {
    version: { type: 'integer', minimum: VERSION, maximum: VERSION },
    secret: { type: 'string', minLength: 1 },
    users: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string', minLength: 1, maxLength: 255 },
          rules: texts,
          roles: texts,
          ...permissionSettings,
          password: passwordKeysSchema,
          passwordHash: {
            type: 'object',
            properties: { algorithm: { type: 'string', enum: ['sha256', 'sha512'] }, hash: text },
            required: ['algorithm', 'hash'],
            additionalProperties: false,
          },
          tokens: {
            type: 'array',
            items: {
              type: 'object',
              properties: { id: text, label: text, hash: text },
              required: ['id', 'label', 'hash'],
              additionalProperties: false,
            },
          },
        },
        required: ['name', 'rules'],
        additionalProperties: false,
      },
    },
  },
  required: ['version', 'secret', 'users'],
  additionalProperties: false,
})

export function noUsers(): StoredUsers {
  return { version: VERSION, secret: randomBytes(SECRET_BYTES).toString('base64'), users: [] }
}

/** @returns no users where there is no file @throws MillraceError `bad_config` */
export function readUserFile(path: string): StoredUsers {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    // A data directory that is none is reported by those who open it.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return noUsers()
    throw unusable(path, error as Error)
  }
  try {
    return check(schema, JSON.parse(content), 'the file')
  } catch (error) {
    throw unusable(path, error as Error)
  }
}

/** Replaces the file as a whole, durably; nobody but its owner may read it. @throws MillraceError `bad_config` */
export function writeUserFile(path: string, users: StoredUsers): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    const file = openSync(temporary, 'w', 0o600)
    try {
      writeSync(file, `${JSON.stringify(users, null, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
    syncDirectory(dirname(path))
  } catch (error) {
    throw unusable(path, error as Error)
  }
}

function syncDirectory(path: string): void {
  // Windows cannot open directories.
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function unusable(path: string, error: Error): MillraceError {
  return new MillraceError('bad_config', `The file of users ${path} cannot be used: ${error.message}`, { cause: error })
}
