import type { LoginRule } from '../../protocols/session.ts'

/** All settings of a broker process, resolved: what `loadConfig` returns and `startServer` takes. Keys: `keys.ts`. */
export interface Config {
  /** Data directory of the disk engine. */
  readonly data: string
  readonly engine: 'disk' | 'memory'
  readonly durability: 'fsync' | 'os'
  /** Listeners, in the order of `doors.ts`; empty for a broker without sockets. */
  readonly listen: readonly ListenEntry[]
  /** File that tells which addresses accept connections, or null for none. */
  readonly readyFile: string | null
  readonly autoCreate: boolean
  /** Time that sessions get to finish after SIGTERM. */
  readonly drainTimeoutMs: number
  readonly log: {
    readonly level: LogLevel
    readonly format: 'auto' | 'json' | 'text'
  }
  readonly limits: {
    readonly batchBytesMax: number
    readonly commitBytesMax: number
    readonly pendingBytesHigh: number
    readonly pendingBytesLow: number
    readonly tailCacheBytes: number
    /** null: by the memory that there is. */
    readonly memoryBytesHigh: number | null
    readonly checkpointBytes: number
    readonly partitionsMax: number
    readonly queuesMax: number
    readonly inFlightPerConsumerMax: number
    readonly connectionsMax: number
    readonly connectionsPerAddressMax: number
    readonly outputBytesMax: number
    readonly httpBodyBytesMax: number
    readonly httpBodiesBytesMax: number
  }
  readonly groups: {
    readonly offsetsRetentionMs: number
    readonly initialRebalanceDelayMs: number
    readonly sessionTimeoutMsMin: number
    readonly sessionTimeoutMsMax: number
    readonly consumerSessionTimeoutMs: number
    readonly consumerHeartbeatIntervalMs: number
    readonly membersMax: number
  }
  /** Those that stay open over many requests. */
  readonly transactions: {
    readonly timeoutMsMax: number
    readonly bytesMax: number
    readonly openBytesMax: number
    readonly partitionsMax: number
    readonly producersMax: number
    readonly unusedMs: number
  }
  readonly metrics: {
    readonly perObject: boolean
    readonly objectsMax: number
  }
  readonly kafka: {
    /** `ListenEntry.advertised` of the listener `kafka`, unless it has its own. */
    readonly advertised: HostPort | null
    /** How long a login counts; 0: as long as the connection. */
    readonly sessionLifetimeMs: number
  }
  readonly amqp: {
    readonly frameBytesMax: number
    readonly channelsMax: number
    /** 0: none. */
    readonly heartbeatMs: number
    /** How long a delivery may wait for its acknowledgement; 0: for ever. */
    readonly consumerTimeoutMs: number
    readonly messageBytesMax: number
    /** File that is imported at start. */
    readonly definitions: string | null
  }
  readonly http: {
    /** Origins (scheme://host[:port]) besides its own from which browsers may use the API. */
    readonly allowedOrigins: readonly string[]
  }
  /** For all listeners that have nothing else. */
  readonly tls: {
    readonly cert: string | null
    readonly key: string | null
    readonly ca: string | null
    readonly clientCertificates: 'optional' | 'required'
  }
  readonly security: {
    readonly usersFile: string | null
    readonly allowRemoteWithoutUsers: boolean
    readonly allowCleartext: boolean
  }
}

export interface HostPort {
  readonly host: string
  readonly port: number
}

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface ListenEntry {
  readonly door: string
  /** Of the listener: that of the door for its first one, `DOOR/NAME` for others. */
  readonly name: string
  /** Host name or IP address; IPv6 without brackets. */
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** Whether the user asked for it: if not, it is skipped when the port is taken. */
  readonly asked: boolean
  /** Instead of `Config.tls`; false: none. */
  readonly tls?: TlsSettings | false
  /** Where clients are told to connect to, by doors that tell them; otherwise the address at which they came. */
  readonly advertised?: HostPort
  /** By default `optional`. */
  readonly login?: LoginRule
}

/** Paths of PEM files. */
export interface TlsSettings {
  readonly cert: string
  readonly key: string
  /** What certificates of clients must come from; null: none are asked for. */
  readonly ca: string | null
  readonly clientCertificates: 'optional' | 'required'
}

type Group = 'log' | 'limits' | 'groups' | 'transactions' | 'metrics' | 'kafka' | 'amqp' | 'http' | 'tls' | 'security'

type KeyOf<T> = Extract<keyof T, string>

/** Dotted path of a key, as it is written in messages and documents. */
export type ConfigPath = {
  [K in KeyOf<Config>]: K extends Group ? `${K}.${KeyOf<Config[K]>}` : K
}[KeyOf<Config>]
