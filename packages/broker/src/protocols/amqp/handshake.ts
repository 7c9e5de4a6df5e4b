import { MillraceError } from '../../base/errors.ts'
import type { Principal, SessionContext } from '../session.ts'
import type { Peer } from '../session.ts'
import { AmqpError } from './amqp-error.ts'
import { FieldTable } from './codec/field-table.ts'
import { writeMethod } from './codec/method-codec.ts'
import type { Method, MethodArguments } from './codec/methods.ts'
import type { Output } from './codec/output.ts'
import { limits } from './limits.ts'
import { Login } from './login.ts'
import { serverProperties } from './server-properties.ts'
import type { DoorState } from './door-state.ts'

/** What was agreed on, and with whom. */
export interface Opened {
  readonly principal: Principal
  readonly userName: string
  readonly vhost: string
  readonly mechanism: string
  readonly frameBytesMax: number
  readonly channelsMax: number
  /** 0: none. */
  readonly heartbeatSeconds: number
  readonly properties: FieldTable
}

/** `connection.start` to `connection.open`. */
type Step = 'start-ok' | 'secure-ok' | 'tune-ok' | 'open'

/** The first words of a connection. Methods throw AmqpError, and the connection is over. */
export class Handshake {
  readonly #context: SessionContext
  readonly #peer: Peer
  readonly #output: Output
  readonly #door: DoorState
  readonly #login: Login
  #step: Step = 'start-ok'
  #properties = new FieldTable()
  #tuned: Pick<Opened, 'frameBytesMax' | 'channelsMax' | 'heartbeatSeconds'> | undefined

  constructor(context: SessionContext, peer: Peer, output: Output, door: DoorState) {
    this.#context = context
    this.#peer = peer
    this.#output = output
    this.#door = door
    this.#login = new Login(context.security, peer)
  }

  start(): void {
    writeMethod(this.#output, 0, 'connection.start', {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: serverProperties(this.#context.identity.brokerVersion),
      mechanisms: this.#login.mechanisms.join(' '),
      locales: 'en_US',
    })
  }

  /** Whether the client wants to be told why it may not log in. */
  get isToldOfRefusal(): boolean {
    return this.knows('authentication_failure_close')
  }

  knows(capability: string): boolean {
    const capabilities = this.#properties.get('capabilities')
    return capabilities instanceof FieldTable && capabilities.get(capability) === true
  }

  /** @returns what was agreed on, at the end */
  take(method: Method): Opened | undefined {
    if (method.name !== `connection.${this.#step}`) {
      throw new AmqpError('command-invalid', `expected 'connection.${this.#step}', not '${method.name}'`)
    }
    switch (method.name) {
      case 'connection.start-ok': {
        const { clientProperties, mechanism, response } = method.args
        this.#properties = clientProperties
        this.#prove(this.#login.begin(mechanism, response))
        return undefined
      }
      case 'connection.secure-ok':
        this.#prove(this.#login.respond(method.args.response))
        return undefined
      case 'connection.tune-ok':
        this.#tune(method.args)
        return undefined
      case 'connection.open':
        return this.#open(method.args.virtualHost)
      default:
        throw new AmqpError('command-invalid', `'${method.name}' is not for clients to send`)
    }
  }

  #prove(challenge: Uint8Array | undefined): void {
    if (challenge !== undefined) {
      this.#step = 'secure-ok'
      writeMethod(this.#output, 0, 'connection.secure', { challenge })
      return
    }
    this.#step = 'tune-ok'
    const { channelsMax, frameBytesMax, heartbeatSeconds } = this.#door.settings
    writeMethod(this.#output, 0, 'connection.tune', {
      channelMax: channelsMax,
      frameMax: frameBytesMax,
      heartbeat: heartbeatSeconds,
    })
  }

  /** 0 is no limit of the client's. */
  #tune({ channelMax, frameMax, heartbeat }: MethodArguments<'connection.tune-ok'>): void {
    const { channelsMax, frameBytesMax } = this.#door.settings
    checkNotAbove('channel_max', channelMax, channelsMax)
    checkNotAbove('frame_max', frameMax, frameBytesMax)
    if (frameMax !== 0 && frameMax < limits.frameBytesMin) {
      throw new AmqpError(
        'not-allowed',
        `negotiated frame_max = ${frameMax} is lower than the minimum allowed value (${limits.frameBytesMin})`,
      )
    }
    this.#step = 'open'
    this.#tuned = {
      channelsMax: channelMax === 0 ? channelsMax : channelMax,
      frameBytesMax: frameMax === 0 ? frameBytesMax : frameMax,
      heartbeatSeconds: heartbeat,
    }
  }

  #open(vhost: string): Opened {
    const { user, userName } = this.#login.known
    const principal: Principal = { user, peer: this.#peer, ...clientIdOf(this.#properties) }
    this.#checkVhost(principal, userName, vhost)
    const { mechanism } = this.#login
    return { ...this.#tuned!, principal, userName, vhost, mechanism, properties: this.#properties }
  }

  /** @throws AmqpError 530 */
  #checkVhost(principal: Principal, userName: string, vhost: string): void {
    const { vhosts, userLimits } = this.#door.administration
    if (!vhosts.has(vhost)) throw new AmqpError('not-allowed', `vhost ${vhost} not found`)
    try {
      this.#context.authorize(principal, 'connect', `vhost:${vhost}`)
      vhosts.checkConnection(vhost)
      userLimits.checkConnection(principal.user)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (error.code !== 'forbidden') throw new AmqpError('not-allowed', error.message)
      throw new AmqpError('not-allowed', `access to vhost '${vhost}' refused for user '${userName}'`)
    }
  }
}

function checkNotAbove(what: string, value: number, max: number): void {
  // No limit at all is above any.
  if (value <= max) return
  throw new AmqpError('not-allowed', `negotiated ${what} = ${value} is higher than the maximum allowed value (${max})`)
}

/** The name that applications give their connections. */
function clientIdOf(properties: FieldTable): Pick<Principal, 'clientId'> {
  const name = properties.get('connection_name')
  return typeof name === 'string' ? { clientId: name } : {}
}
