import type { Lease } from '../../base/lease.ts'
import type { Broker } from '../../core/broker.ts'
import type { Principal, SessionContext } from '../session.ts'
import { ApiCodec } from './codec/api-codec.ts'
import type { HotCodec } from './codec/hot/hot-codec.ts'
import type { MessageReader } from './codec/message-reader.ts'
import type { MessageWriter } from './codec/message-writer.ts'
import type { ApiDefinition, Decoded, Encodable } from './codec/notation.ts'
import type { FetchSession } from './fetch/fetch-session.ts'
import type { Login } from './login/login.ts'

/** Where clients shall connect to. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Whoever sends requests, as their handlers know it. */
export interface Client {
  readonly context: SessionContext
  readonly broker: Broker
  readonly principal: Principal
  readonly login: Login
  /** Of this broker, as this client should see it. */
  readonly address: HostPort
  /** What its fetches have told so far. */
  fetchSession: FetchSession | undefined
  /** Requests that wait for something to happen; ended when the broker or the connection goes. */
  readonly waits: Set<Wait>
  /** What ends with the connection. */
  readonly attached: Set<Attached>
  /** Takes up nothing more for so long. */
  throttle(ms: number): void
  /** Reads nothing more, answers what was asked, and ends the connection. */
  drain(): void
}

/** Something that is kept for a connection, and is not asked for by the next one. */
export interface Attached {
  close(): void
}

export interface Wait {
  /** Answers now, with what there is. */
  end(): void
}

/** A response that may be sent once `ticket` is committed. */
export class Durable<R> {
  readonly ticket: number
  readonly response: R

  constructor(ticket: number, response: R) {
    this.ticket = ticket
    this.response = response
  }
}

/** A response with records that were lent: whoever is given it releases them when it was sent, or never will be. */
export class Lent<R> {
  readonly lease: Lease
  readonly response: R

  constructor(lease: Lease, response: R) {
    this.lease = lease
    this.response = response
  }
}

export type Answer<R> = R | Durable<R> | Lent<R>

/** `undefined`: none is sent; `'close'`: none, and the connection ends. */
export type Reply<R> = Answer<R> | Promise<Answer<R>> | undefined | 'close'

/** The codec of an API, whichever it is. */
interface AnyCodec {
  readonly key: number
  readonly min: number
  readonly max: number
  isFlexible(version: number): boolean
  /** @throws MessageFormatError */
  readRequest(reader: MessageReader, version: number): unknown
  writeResponse(writer: MessageWriter, version: number, response: object): void
}

/** An API, and what answers it. */
export interface ServedApi {
  readonly codec: AnyCodec
  /** @throws MessageFormatError, and what is told by ending the connection: KafkaError, MillraceError */
  handle(request: unknown, version: number, client: Client): Reply<object>
}

type Handler<A extends ApiDefinition> = (
  request: Decoded<A['request']>,
  version: number,
  client: Client,
) => Reply<Encodable<A['response']>>

/**
 * @param handler gets the request in the shape of its definition; versions show as fields that have their defaults
 */
export function serve<A extends ApiDefinition>(definition: A, handler: Handler<A>): ServedApi {
  return serveHot(definition, {}, handler)
}

/** @param hot what of its messages is read and written by hand */
export function serveHot<A extends ApiDefinition>(definition: A, hot: HotCodec<A>, handler: Handler<A>): ServedApi {
  return {
    codec: new ApiCodec(definition, hot),
    handle: (request, version, client) => handler(request as Decoded<A['request']>, version, client),
  }
}
