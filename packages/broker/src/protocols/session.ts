/**
 * The contract between a door and whoever owns its connections (TCP listener, WebSocket listener, in-process pair,
 * simulator, fuzzer). A session does no I/O of its own and never blocks: bytes come in by `receive`, time by `tick`, and
 * everything it does goes out through its `Connection` and the `Broker` façade.
 */
import { MillraceError } from '../base/errors.ts'
import type { Broker } from '../core/broker.ts'
import type { Platform } from '../ports/platform.ts'
import type { CommitWaiters } from './commit-waiters.ts'
import type { Security } from './security.ts'

/** One protocol. The listeners know nothing else about it. */
export interface Door {
  /** As in configuration, logs and metrics: `native`, `kafka`, `amqp`, ... */
  readonly name: string
  /** Called once per connection, as soon as it is established. */
  accept(connection: Connection, context: SessionContext): Session
}

/** One connection's protocol state machine. None of its methods throws: a protocol error ends in `connection.close()`. */
export interface Session {
  /**
   * Handles what arrived: any piece of the byte stream. The bytes are borrowed until the call returns.
   * May be called once more after `pause()` (bytes that were under way), never after `connectionClosed`.
   */
  receive(bytes: Uint8Array): void
  /** Deadlines, heartbeats. Call it about twice a second with the monotonic clock. */
  tick(monotonicMs: number): void
  /** The backlog of the connection fell to or below `Connection.backlogLowBytes`. */
  writable(): void
  /** The broker shuts down: say so to the peer, finish what is under way, then close the connection. Idempotent. */
  drain(): void
  /** The connection is gone, for whatever reason, `connection.close()` included. Called exactly once; nothing may be written after it. */
  connectionClosed(): void
}

/** The way out. Implemented by listeners; calls after the connection is gone are ignored. */
export interface Connection {
  readonly peer: Peer
  /**
   * Sends the chunks in order. The connection owns them from now on; neither side changes their bytes. Sessions call this once per turn.
   * @param done with it the chunks are only lent, until it is called: once, when they were sent or never will be
   */
  write(chunks: readonly Uint8Array[], done?: () => void): void
  /** Sends what was written, then closes in both directions. If the peer does not take it within a few seconds the listener cuts. */
  close(): void
  /** Stops reading from the peer until `resume`: back-pressure. */
  pause(): void
  resume(): void
  /** Bytes given to `write` that the operating system (or the other side of an in-process pair) has not taken yet. */
  readonly backlogBytes: number
  /** `Session.writable` is called when the backlog fell to this after having been above it. */
  readonly backlogLowBytes: number
}

export interface Peer {
  /** For people: `127.0.0.1:53211`, `in-process`. */
  readonly address: string
  readonly transport: 'tcp' | 'websocket' | 'in-process'
  /** Where this broker is for it: what its listener advertises, or the address at which it arrived, where there is one. */
  readonly reached?: { readonly host: string; readonly port: number }
  /** Of the listener at which it arrived; by default `optional`. */
  readonly login?: LoginRule
  /** TLS, or a transport that leaves the machine's memory at no point. */
  readonly secure: boolean
  /** Common name of the certificate that it proved to own, where the broker checks those. */
  readonly certificateName?: string
}

/** Who gets in by a listener: `required`: whoever logs in or shows a certificate; `none`: nobody logs in there, all others are anonymous. */
export type LoginRule = (typeof loginRules)[number]

export const loginRules = ['optional', 'required', 'none'] as const

/** What all sessions of a broker share. Built once, by `compose`. */
export interface SessionContext {
  readonly broker: Broker
  readonly platform: Platform
  readonly commits: CommitWaiters
  readonly identity: BrokerIdentity
  /** The one place where access is decided, on every path. @throws MillraceError `forbidden` */
  authorize(principal: Principal, action: Action, resource: string): void
  /** Who is who. */
  readonly security: Security
  /** What `status` answers: facts of the process that the façade does not know. */
  status(): BrokerStatus
}

interface BrokerIdentity {
  readonly brokerId: string
  readonly brokerVersion: string
}

/** Who is on the other side. Without users configured everybody is `anonymous`. */
export interface Principal {
  readonly user: string
  readonly clientId?: string
  readonly peer: Peer
}

/**
 * `resource` is a destination or source (`queue:NAME`, `topic:NAME`, `topic:NAME/SUBSCRIPTION`), `exchange:NAME`, `vhost:NAME`, `group:NAME`,
 * `transaction:ID`, or `broker`. `connect` is about virtual hosts.
 */
export type Action = (typeof actions)[number]

export const actions = ['publish', 'consume', 'read', 'create', 'define', 'delete', 'describe', 'administer', 'connect'] as const

/** Same shape as the client's `BrokerStatus`. */
interface BrokerStatus {
  readonly version: string
  readonly pid: number
  readonly uptimeMs: number
  readonly engine: string
  readonly durability: string
  readonly listeners: Readonly<Record<string, string>>
}

/** For what is left out rather than refused. */
export function isAllowed(context: SessionContext, principal: Principal, action: Action, resource: string): boolean {
  try {
    context.authorize(principal, action, resource)
    return true
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'forbidden') return false
    throw error
  }
}

/** `authorize` while no users are configured. */
export function allowAll(): void {}
