import { errors, failure, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'
import { saslAuthenticate, saslHandshake } from '../messages/security.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'

const NO_BYTES: Uint8Array = new Uint8Array(0)
/** After a handshake in the first version, messages come as they are. */
const BARE_VERSION = 0

export const saslHandshakeApi: ServedApi = serve(saslHandshake, ({ mechanism }, version, client) => {
  const { login } = client
  try {
    login.handshake(mechanism, version === BARE_VERSION)
    return { errorCode: errors.NONE, mechanisms: login.mechanisms }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    if (login.isRefused) client.drain()
    const mechanisms = error.code === errors.UNSUPPORTED_SASL_MECHANISM ? login.mechanisms : []
    return { errorCode: error.code, mechanisms }
  }
})

export const saslAuthenticateApi: ServedApi = serve(saslAuthenticate, ({ authBytes }, _, client) => {
  try {
    const { challenge, lifetimeMs } = client.login.prove(authBytes)
    return { errorCode: errors.NONE, errorMessage: null, authBytes: challenge, sessionLifetimeMs: lifetimeMs }
  } catch (error) {
    const answer = { ...failure(error), authBytes: NO_BYTES }
    if (!client.login.isRefused) return answer
    client.drain()
    return later(client, answer)
  }
})

/** Nobody learns quickly that a guess was wrong. */
function later<R>({ context }: Client, answer: R): Promise<R> {
  return new Promise((resolve) => {
    context.platform.scheduler.after(limits.failedLoginDelayMs, () => resolve(answer))
  })
}
