import { MillraceError } from '../../../base/errors.ts'
import { permit } from '../access.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import { alterUserScramCredentials, describeUserScramCredentials } from '../messages/security.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'

type Request = Decoded<typeof alterUserScramCredentials.request>
type Deletion = Request['deletions'][number]
type Upsertion = Request['upsertions'][number]

/** Mechanisms as the protocol numbers them. */
const mechanisms = new Map([
  [1, 'SCRAM-SHA-256'],
  [2, 'SCRAM-SHA-512'],
] as const)

const ITERATIONS_MIN = 4096
const ITERATIONS_MAX = 16_384

export const describeUserScramCredentialsApi: ServedApi = serve(describeUserScramCredentials, ({ users: asked }, _, client) => {
  const { users } = client.context.security
  try {
    permit(client, 'administer', 'broker')
    const all = asked === null || asked.length === 0
    const names = all
      ? users
          .list()
          .filter(({ password }) => password)
          .map(({ name }) => name)
      : asked.map(({ name }) => name)
    const results = names.map((user) => {
      try {
        if (names.indexOf(user) !== names.lastIndexOf(user)) throw duplicate(user)
        return { user, ...success, credentialInfos: credentialsOf(client, user) }
      } catch (error) {
        return { user, ...failure(error), credentialInfos: [] }
      }
    })
    return { ...success, results }
  } catch (error) {
    return { ...failure(error), results: [] }
  }
})

function credentialsOf({ context }: Client, user: string): { mechanism: number; iterations: number }[] {
  const { users } = context.security
  const known = users.list().some(({ name }) => name === user) ? users.scram(user) : []
  if (known.length === 0) throw new KafkaError(errors.RESOURCE_NOT_FOUND, `${JSON.stringify(user)} has no SCRAM credentials`)
  return [...mechanisms].flatMap(([number, mechanism]) =>
    known.filter((each) => each.mechanism === mechanism).map(({ iterations }) => ({ mechanism: number, iterations })),
  )
}

function duplicate(user: string): KafkaError {
  return new KafkaError(errors.DUPLICATE_RESOURCE, `${JSON.stringify(user)} is named more than once`)
}

/** What is asked of one user happens as a whole, or not at all. */
export const alterUserScramCredentialsApi: ServedApi = serve(
  alterUserScramCredentials,
  ({ deletions, upsertions }, _, client) => {
    const names = [...new Set([...deletions, ...upsertions].map(({ name }) => name))]
    const results = names.map((user) => {
      try {
        permit(client, 'administer', 'broker')
        alter(
          client,
          user,
          deletions.filter(({ name }) => name === user),
          upsertions.filter(({ name }) => name === user),
        )
        return { user, ...success }
      } catch (error) {
        const { errorCode, errorMessage } = failure(error)
        const isRefused = error instanceof MillraceError && error.code === 'bad_request'
        return { user, errorCode: isRefused ? errors.UNACCEPTABLE_CREDENTIAL : errorCode, errorMessage }
      }
    })
    return { results }
  },
)

function alter(client: Client, user: string, deletions: readonly Deletion[], upsertions: readonly Upsertion[]): void {
  const { context, principal } = client
  const { security } = context
  const numbers = [...deletions, ...upsertions].map(({ mechanism }) => mechanism)
  if (new Set(numbers).size < numbers.length) throw duplicate(user)
  const existing = security.users.list().some(({ name }) => name === user) ? security.users.scram(user) : []
  for (const { mechanism } of deletions) {
    if (existing.some((each) => each.mechanism === nameOf(mechanism))) continue
    throw new KafkaError(errors.RESOURCE_NOT_FOUND, `${JSON.stringify(user)} has no credential for ${nameOf(mechanism)}`)
  }
  for (const { mechanism, iterations } of upsertions) {
    nameOf(mechanism)
    if (iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX) continue
    throw unacceptable(`iterations are ${ITERATIONS_MIN} to ${ITERATIONS_MAX}, not ${iterations}`)
  }
  if (upsertions.length > 0 && !security.isSecret(principal.peer)) {
    throw unacceptable('credentials are not taken over a connection that others can read: use TLS')
  }
  security.users.changeScram(user, [
    ...deletions.map(({ mechanism }) => ({ mechanism: nameOf(mechanism), credential: undefined })),
    ...upsertions.map(({ mechanism, ...credential }) => ({ mechanism: nameOf(mechanism), credential })),
  ])
}

/** @throws KafkaError UNSUPPORTED_SASL_MECHANISM */
function nameOf(mechanism: number): 'SCRAM-SHA-256' | 'SCRAM-SHA-512' {
  const name = mechanisms.get(mechanism as 1)
  if (name !== undefined) return name
  throw new KafkaError(errors.UNSUPPORTED_SASL_MECHANISM, `there are ${[...mechanisms.values()].join(' and ')}`)
}

function unacceptable(message: string): KafkaError {
  return new KafkaError(errors.UNACCEPTABLE_CREDENTIAL, message)
}
