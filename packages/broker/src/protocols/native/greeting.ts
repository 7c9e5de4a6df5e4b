/** From the first frame to `welcome`: who is on the other side. */
import { type Frame, NATIVE_MAGIC, NATIVE_VERSION, ProtocolError } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { check } from '../api/json-schema.ts'
import type { SaslExchange, SaslStep, Security } from '../security.ts'
import type { Peer, Principal } from '../session.ts'
import { type HelloOptions, helloOptions, saslMessage } from './hello-schema.ts'

type Progress =
  /** To be sent as `challenge`. */
  | { readonly challenge: string }
  /** `proof`: the last word of a mechanism in which the broker proves itself too. */
  | { readonly principal: Principal; readonly proof?: string }

/** For who speaks something else on this port. */
export const OTHER_PORT_HINT =
  'Millrace clients begin with `hello`; those of HTTP, Kafka and AMQP have ports of their own, and TLS is spoken where it is configured.'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class Greeting {
  /** Whether the other side has shown that it speaks this protocol. */
  isOurs = false
  readonly #security: Security
  readonly #peer: Peer
  #exchange: SaslExchange | undefined
  #clientId: string | undefined

  constructor(security: Security, peer: Peer) {
    this.#security = security
    this.#peer = peer
  }

  /** @throws ProtocolError for a frame that is not its turn, MillraceError `bad_request`, `unauthorized`, `unsupported`, `overloaded` */
  take(frame: Frame): Progress {
    if (this.#exchange !== undefined) {
      if (frame.name !== 'response') throw new ProtocolError(`\`${frame.name}\` in the place of \`response\`.`)
      return this.#answer(this.#exchange, check(saslMessage, frame.sasl, '`response`').message)
    }
    if (frame.name !== 'hello') throw new ProtocolError(`\`${frame.name}\` before \`hello\`.`)
    if (frame.magic !== NATIVE_MAGIC) throw new ProtocolError('This is not the Millrace native protocol.', 'unsupported')
    this.isOurs = true
    if (frame.version !== NATIVE_VERSION) {
      throw new ProtocolError(
        `This broker speaks version ${NATIVE_VERSION} of the native protocol, not ${frame.version}.`,
        'unsupported',
      )
    }
    return this.#hello(check(helloOptions, frame.options, '`hello`'))
  }

  #hello({ clientId, user, password, token, mechanism, message }: HelloOptions): Progress {
    this.#clientId = clientId
    if ([user, token, mechanism].filter((each) => each !== undefined).length > 1)
      throw new MillraceError('bad_request', '`hello` has one of `user`, `token` and `mechanism`.')
    const security = this.#security
    if (mechanism !== undefined) {
      this.#exchange = security.begin(mechanism, this.#peer)
      return this.#answer(this.#exchange, message ?? '')
    }
    if (user !== undefined) return this.#welcome(security.login({ user, password }, this.#peer))
    return this.#welcome(token === undefined ? security.unnamed(this.#peer) : security.login({ token }, this.#peer))
  }

  #answer(exchange: SaslExchange, message: string): Progress {
    const step: SaslStep = exchange.respond(encoder.encode(message))
    const challenge = decoder.decode(step.challenge)
    if (!step.done) return { challenge }
    return { ...this.#welcome(step.user), ...(challenge === '' ? {} : { proof: challenge }) }
  }

  #welcome(user: string): { readonly principal: Principal } {
    const clientId = this.#clientId
    return { principal: { user, peer: this.#peer, ...(clientId === undefined ? {} : { clientId }) } }
  }
}
