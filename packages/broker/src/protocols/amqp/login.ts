import { MillraceError } from '../../base/errors.ts'
import { ANONYMOUS, type SaslExchange, type Security } from '../security.ts'
import type { Peer } from '../session.ts'
import { AmqpError } from './amqp-error.ts'
import { decodeTable } from './codec/field-table.ts'

/** Who a client is, by the SASL mechanisms of RabbitMQ and those of the broker. Methods throw AmqpError. */
export class Login {
  readonly #security: Security
  readonly #peer: Peer
  mechanism = ''
  #exchange: SaslExchange | undefined
  #known: { readonly user: string; readonly userName: string } | undefined

  constructor(security: Security, peer: Peer) {
    this.#security = security
    this.#peer = peer
  }

  /** Clients take the first that they know. */
  get mechanisms(): readonly string[] {
    const others = this.#security.mechanisms(this.#peer).filter((mechanism) => mechanism !== 'PLAIN')
    const external = this.#peer.certificateName === undefined ? [] : ['EXTERNAL']
    return ['PLAIN', 'AMQPLAIN', ...external, ...others]
  }

  /** Its user, and the name that it gave: where there are no users everybody is the same one. */
  get known(): { readonly user: string; readonly userName: string } {
    if (this.#known === undefined) throw this.#refused()
    return this.#known
  }

  /** @returns a challenge, or undefined when it is known who this is */
  begin(mechanism: string, response: Uint8Array): Uint8Array | undefined {
    this.mechanism = mechanism
    if (!this.mechanisms.includes(mechanism)) {
      throw new AmqpError('access-refused', `no authentication mechanism '${mechanism.slice(0, 50)}'`, 'connection')
    }
    return this.#asRefusal(() => {
      if (mechanism === 'PLAIN') return this.#logIn(plainCredentials(response))
      if (mechanism === 'AMQPLAIN') return this.#logIn(amqplainCredentials(response))
      if (mechanism === 'EXTERNAL') {
        const user = this.#security.unnamed(this.#peer)
        if (user !== this.#peer.certificateName && !this.#isOpen) throw this.#refused()
        return this.#know(user, this.#peer.certificateName ?? user)
      }
      this.#exchange = this.#security.begin(mechanism, this.#peer)
      return this.#step(this.#exchange, response)
    })
  }

  respond(response: Uint8Array): Uint8Array | undefined {
    return this.#asRefusal(() => this.#step(this.#exchange!, response))
  }

  #step(exchange: SaslExchange, response: Uint8Array): Uint8Array | undefined {
    const step = exchange.respond(response)
    if (step.done) return this.#know(step.user, step.user)
    return step.challenge
  }

  #logIn(credentials: Credentials | undefined): undefined {
    if (credentials === undefined) throw this.#refused()
    const { user, password } = credentials
    // Without users anybody is let in, by any name, as by the other doors.
    if (this.#isOpen) return this.#know(ANONYMOUS, user)
    return this.#know(this.#security.login({ user, password }, this.#peer), user)
  }

  get #isOpen(): boolean {
    return this.#security.mechanisms(this.#peer).length === 0
  }

  #know(user: string, userName: string): undefined {
    this.#known = { user, userName }
  }

  /** Why is not for those to know who may not log in. */
  #asRefusal<T>(attempt: () => T): T {
    try {
      return attempt()
    } catch (error) {
      if (error instanceof MillraceError) throw this.#refused()
      throw error
    }
  }

  #refused(): AmqpError {
    const text = `Login was refused using authentication mechanism ${this.mechanism}. For details see the broker logfile.`
    return new AmqpError('access-refused', text, 'connection')
  }
}

interface Credentials {
  readonly user: string
  readonly password: string
}

const decoder = new TextDecoder()

/** RFC 4616. Who somebody acts for does not matter. */
function plainCredentials(response: Uint8Array): Credentials | undefined {
  const [, user, password, ...more] = decoder.decode(response).split('\0')
  return user === undefined || password === undefined || more.length > 0 ? undefined : { user, password }
}

/** A table without its length. */
function amqplainCredentials(response: Uint8Array): Credentials | undefined {
  const table = decodeTable(response, 0, response.length)
  const user = table.get('LOGIN')
  const password = table.get('PASSWORD')
  return typeof user === 'string' && typeof password === 'string' ? { user, password } : undefined
}
