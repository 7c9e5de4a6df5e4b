import { MillraceError } from '../../../base/errors.ts'
import type { Clock } from '../../../ports/platform.ts'
import type { SaslExchange, Security } from '../../security.ts'
import type { Peer } from '../../session.ts'
import { errors, KafkaError } from '../errors.ts'

const SASL_HANDSHAKE = 17
const API_VERSIONS = 18
const SASL_AUTHENTICATE = 36

interface Known {
  readonly name: 'known'
  readonly user: string
  /** Undefined for who did not log in. */
  readonly mechanism: string | undefined
  /** When it has to log in again. */
  readonly untilMs: number
}

/**
 *     unknown -> proving -> known -> proving (again, KIP-368) -> ...
 *         \________\___________\______> refused
 */
type State =
  | { readonly name: 'unknown' }
  | {
      readonly name: 'proving'
      readonly mechanism: string
      /** Whether its messages come without a request around them, as before KIP-152. */
      readonly isBare: boolean
      /** Undefined until the first message. */
      readonly exchange: SaslExchange | undefined
      readonly before: Known | undefined
    }
  | Known
  | { readonly name: 'refused' }

const REFUSED: State = { name: 'refused' }

export interface LoginSettings {
  /** How long a login counts; Infinity for as long as the connection. */
  readonly lifetimeMs: number
  /** Told of each user that is known. */
  readonly onKnown: (user: string) => void
}

interface Proven {
  readonly challenge: Uint8Array
  /** 0 where nobody has to log in again, and before the end. */
  readonly lifetimeMs: number
}

/** Who the client of a connection is: as SaslHandshake and SaslAuthenticate show, or as the broker treats those who do not log in. */
export class Login {
  readonly #security: Security
  readonly #peer: Peer
  readonly #clock: Clock
  readonly #settings: LoginSettings
  #state: State = { name: 'unknown' }
  /** Of `Security`, when it was last asked whether the user still is one. */
  #version = -1

  constructor(security: Security, peer: Peer, clock: Clock, settings: LoginSettings) {
    this.#security = security
    this.#peer = peer
    this.#clock = clock
    this.#settings = settings
  }

  /** Whether it is known who this is, or does not matter. */
  get isSettled(): boolean {
    const state = this.#state
    if (state.name === 'proving') return state.before !== undefined
    return state.name === 'known' || (state.name === 'unknown' && this.#unnamed() !== undefined)
  }

  get expectsBareMessage(): boolean {
    return this.#state.name === 'proving' && this.#state.isBare
  }

  /** Whether a request may be handled now; if not, the connection ends. */
  admits(key: number): boolean {
    const state = this.#state
    switch (state.name) {
      case 'unknown':
        return key === API_VERSIONS || key === SASL_HANDSHAKE || this.#enterUnnamed()
      case 'proving':
        return key === SASL_AUTHENTICATE || key === SASL_HANDSHAKE
      case 'known':
        if (!this.#isStillKnown(state)) return false
        return state.untilMs === Infinity || key === SASL_HANDSHAKE || this.#clock.monotonicMs() < state.untilMs
      default:
        return false
    }
  }

  /** Whether the client may go on although users may have changed. */
  review(): boolean {
    return this.#state.name !== 'known' || this.#isStillKnown(this.#state)
  }

  /** @throws KafkaError ILLEGAL_SASL_STATE, UNSUPPORTED_SASL_MECHANISM */
  handshake(mechanism: string, isBare: boolean): void {
    const state = this.#state
    if (state.name === 'proving') this.#state = REFUSED
    const isAgain = state.name === 'known' && state.mechanism !== undefined && state.untilMs !== Infinity
    if (this.mechanisms.length === 0 || !(state.name === 'unknown' || isAgain)) {
      throw new KafkaError(errors.ILLEGAL_SASL_STATE, 'this is no time to log in')
    }
    if (!this.mechanisms.includes(mechanism)) {
      this.#state = REFUSED
      throw new KafkaError(errors.UNSUPPORTED_SASL_MECHANISM, `there are ${this.mechanisms.join(', ')}`)
    }
    this.#state = { name: 'proving', mechanism, isBare, exchange: undefined, before: isAgain ? state : undefined }
  }

  get mechanisms(): readonly string[] {
    return this.#security.mechanisms(this.#peer)
  }

  /** Whether there is no way on from here. */
  get isRefused(): boolean {
    return this.#state.name === 'refused'
  }

  /** @throws KafkaError ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED */
  prove(message: Uint8Array): Proven {
    const state = this.#state
    if (state.name !== 'proving') throw new KafkaError(errors.ILLEGAL_SASL_STATE, 'a SaslHandshake comes first')
    // Whatever fails ends it.
    this.#state = REFUSED
    const { mechanism, before } = state
    try {
      const exchange = state.exchange ?? this.#begin(mechanism, before)
      const step = exchange.respond(message)
      if (!step.done) {
        this.#state = { ...state, exchange }
        return { challenge: step.challenge, lifetimeMs: 0 }
      }
      if (before !== undefined && before.user !== step.user) throw failed('who logs in again stays who it was')
      this.#know(step.user, mechanism)
      const { lifetimeMs } = this.#settings
      return { challenge: step.challenge, lifetimeMs: lifetimeMs === Infinity ? 0 : lifetimeMs }
    } catch (error) {
      throw error instanceof MillraceError ? failed(error.message) : error
    }
  }

  #begin(mechanism: string, before: Known | undefined): SaslExchange {
    if (before !== undefined && before.mechanism !== mechanism) throw failed(`who logs in again does it with ${before.mechanism}`)
    return this.#security.begin(mechanism, this.#peer)
  }

  #know(user: string, mechanism: string | undefined): void {
    const untilMs = mechanism === undefined ? Infinity : this.#clock.monotonicMs() + this.#settings.lifetimeMs
    this.#state = { name: 'known', user, mechanism, untilMs }
    this.#version = this.#security.version
    this.#settings.onKnown(user)
  }

  #enterUnnamed(): boolean {
    const user = this.#unnamed()
    if (user === undefined) this.#state = REFUSED
    else this.#know(user, undefined)
    return user !== undefined
  }

  #unnamed(): string | undefined {
    try {
      return this.#security.unnamed(this.#peer)
    } catch (error) {
      if (error instanceof MillraceError) return undefined
      throw error
    }
  }

  #isStillKnown({ user, mechanism }: Known): boolean {
    const { version } = this.#security
    if (this.#version === version) return true
    this.#version = version
    const isKnown = mechanism === undefined ? this.#unnamed() === user : this.#security.knows(user)
    if (!isKnown) this.#state = REFUSED
    return isKnown
  }
}

function failed(message: string): KafkaError {
  return new KafkaError(errors.SASL_AUTHENTICATION_FAILED, message)
}
