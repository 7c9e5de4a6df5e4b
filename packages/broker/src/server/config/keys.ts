/**
 * Every key of the configuration, once. The loader, the command line, the environment, the JSON Schema and the reference
 * page are all derived from this table.
 *
 * It is data rather than a schema library's values because it is on the way to the first listener: building TypeBox
 * schemas would cost half of the start-up budget.
 */
import type { ConfigPath } from './config.ts'

export interface ConfigKey {
  readonly type: KeyType
  /** As a user would write it; null where the default is to have none. */
  readonly default: string | number | boolean | null | readonly string[]
  /** One sentence or two, for `--help`, the JSON Schema and the reference. */
  readonly description: string
}

export type KeyType =
  | { readonly kind: 'text' }
  | { readonly kind: 'switch' }
  | { readonly kind: 'choice'; readonly of: readonly string[] }
  /** `min` and `max` in bytes. */
  | { readonly kind: 'bytes'; readonly min: number; readonly max: number }
  /** `min` and `max` in milliseconds. */
  | { readonly kind: 'duration'; readonly min: number; readonly max: number }
  | { readonly kind: 'count'; readonly min: number; readonly max: number }
  | { readonly kind: 'list' }
  /** HOST:PORT */
  | { readonly kind: 'address' }
  | { readonly kind: 'listen' }

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
/** What fits into a segment of the journal, beside what may belong together with it. */
const BATCH_BYTES_MAX = 40 * MIB
const DAY_MS = 86_400_000

export const configKeys: { readonly [P in ConfigPath]: ConfigKey } = {
  data: {
    type: { kind: 'text' },
    default: './millrace-data',
    description: 'Directory that holds the messages. It is created when missing; one process at a time can have it open.',
  },
  engine: {
    type: { kind: 'choice', of: ['disk', 'memory'] },
    default: 'disk',
    description: 'Where the journal is kept. `memory` keeps nothing when the process ends.',
  },
  durability: {
    type: { kind: 'choice', of: ['fsync', 'os'] },
    default: 'fsync',
    description:
      'What a confirmed message has survived: `fsync` means that the disk has it (a power failure loses nothing), `os` that the operating system has it (a crash of the broker loses nothing, a power failure may).',
  },
  listen: {
    type: { kind: 'listen' },
    default: null,
    description:
      'Address of each door, DOOR=HOST:PORT; port 0 picks a free one, IPv6 addresses are written in brackets. DOOR/NAME=HOST:PORT is a further listener of a door. `none` instead of an address closes that listener, `none` alone closes all. Doors that are not named keep their default address. In the file a listener can have settings of its own: `kafka/external: { address: HOST:PORT, advertised: HOST:PORT, tls, login }`.',
  },
  readyFile: {
    type: { kind: 'text' },
    default: null,
    description:
      'File that is written once all listeners accept connections and removed at exit: JSON with the process id and the address of each listener.',
  },
  autoCreate: {
    type: { kind: 'switch' },
    default: true,
    description: 'Whether queues, topics and subscriptions that do not exist are created when they are first used.',
  },
  drainTimeoutMs: {
    type: { kind: 'duration', min: 0, max: 3_600_000 },
    default: '10s',
    description: 'How long connections may finish what is under way after SIGTERM before they are cut.',
  },
  'log.level': {
    type: { kind: 'choice', of: ['trace', 'debug', 'info', 'warn', 'error', 'silent'] },
    default: 'info',
    description: 'Least severe log line that is written.',
  },
  'log.format': {
    type: { kind: 'choice', of: ['auto', 'json', 'text'] },
    default: 'auto',
    description:
      'How log lines are written to stderr. `auto` is `text` on a terminal and `json` (one object per line) elsewhere.',
  },
  'limits.batchBytesMax': {
    type: { kind: 'bytes', min: KIB, max: BATCH_BYTES_MAX },
    default: '17MiB',
    description: 'Largest record batch, and so the largest message with its headers.',
  },
  'limits.commitBytesMax': {
    type: { kind: 'bytes', min: KIB, max: GIB },
    default: '4MiB',
    description: 'A commit is written once it holds this much, even if more is arriving.',
  },
  'limits.pendingBytesHigh': {
    type: { kind: 'bytes', min: KIB, max: 16 * GIB },
    default: '16MiB',
    description: 'Publishers are paused while more than this waits to be written.',
  },
  'limits.pendingBytesLow': {
    type: { kind: 'bytes', min: 0, max: 16 * GIB },
    default: '8MiB',
    description: 'Paused publishers go on once less than this waits to be written.',
  },
  'limits.tailCacheBytes': {
    type: { kind: 'bytes', min: 0, max: 64 * GIB },
    default: '24MiB',
    description: 'Memory for the newest messages, from which consumers that keep up are served without reading the disk.',
  },
  'limits.memoryBytesHigh': {
    type: { kind: 'bytes', min: 16 * MIB, max: 1024 * GIB },
    default: null,
    description:
      'Publishers are held back while messages, connections and indexes take more memory than this; consumers go on. By default 60 % of the memory of the machine or container; 85 % of the heap that Node may use counts too.',
  },
  'limits.checkpointBytes': {
    type: { kind: 'bytes', min: MIB, max: 64 * GIB },
    default: '64MiB',
    description: 'Journal bytes between two checkpoints. More makes a restart slower, less writes more.',
  },
  'limits.partitionsMax': {
    type: { kind: 'count', min: 1, max: 100_000 },
    default: 1024,
    description: 'Most partitions that one topic may have.',
  },
  'limits.queuesMax': {
    type: { kind: 'count', min: 1, max: 10_000_000 },
    default: 1_000_000,
    description: 'Most queues, topics and subscriptions together.',
  },
  'limits.inFlightPerConsumerMax': {
    type: { kind: 'count', min: 1, max: 10_000_000 },
    default: 262_144,
    description: 'Most messages that one consumer may hold without settling them.',
  },
  'limits.connectionsMax': {
    type: { kind: 'count', min: 1, max: 1_000_000 },
    default: 20_000,
    description: 'Most connections at a time, per listener.',
  },
  'limits.connectionsPerAddressMax': {
    type: { kind: 'count', min: 1, max: 1_000_000 },
    default: 10_000,
    description: 'Most connections at a time from one remote address, per listener.',
  },
  'limits.outputBytesMax': {
    type: { kind: 'bytes', min: 64 * KIB, max: GIB },
    default: '4MiB',
    description: 'Bytes that may wait for a connection that reads slowly; above this nothing more is read from it either.',
  },
  'limits.httpBodyBytesMax': {
    type: { kind: 'bytes', min: KIB, max: GIB },
    default: '32MiB',
    description: 'Largest body of an HTTP request.',
  },
  'limits.httpBodiesBytesMax': {
    type: { kind: 'bytes', min: MIB, max: 64 * GIB },
    default: '128MiB',
    description:
      'Bodies of HTTP requests that are in memory at a time, together. A request beyond this is refused as overloaded.',
  },
  'groups.offsetsRetentionMs': {
    type: { kind: 'duration', min: 60_000, max: 10 * 365 * DAY_MS },
    default: '7d',
    description: 'How long the committed offsets of a consumer group without members are kept.',
  },
  'groups.initialRebalanceDelayMs': {
    type: { kind: 'duration', min: 0, max: 300_000 },
    default: '100ms',
    description:
      'How long an empty consumer group waits for more members before it shares out partitions; each that comes makes it wait so long again.',
  },
  'groups.sessionTimeoutMsMin': {
    type: { kind: 'duration', min: 1, max: DAY_MS },
    default: '6s',
    description: 'Shortest session that a member of a classic consumer group may ask for.',
  },
  'groups.sessionTimeoutMsMax': {
    type: { kind: 'duration', min: 1, max: DAY_MS },
    default: '30m',
    description: 'Longest session that a member of a classic consumer group may ask for.',
  },
  'groups.consumerSessionTimeoutMs': {
    type: { kind: 'duration', min: 1000, max: DAY_MS },
    default: '45s',
    description:
      'A member of a consumer group to which the broker assigns partitions is removed when it is not heard of for so long.',
  },
  'groups.consumerHeartbeatIntervalMs': {
    type: { kind: 'duration', min: 100, max: 300_000 },
    default: '5s',
    description: 'How often members of a consumer group to which the broker assigns partitions are asked to send a heartbeat.',
  },
  'groups.membersMax': {
    type: { kind: 'count', min: 1, max: 100_000 },
    default: 10_000,
    description: 'Most members of one consumer group.',
  },
  'transactions.timeoutMsMax': {
    type: { kind: 'duration', min: 1, max: 7 * DAY_MS },
    default: '15m',
    description:
      'Longest time that a producer may ask for its transactions. One that is open for longer than it asked for is aborted.',
  },
  'transactions.bytesMax': {
    type: { kind: 'bytes', min: KIB, max: 1024 * GIB },
    default: '1GiB',
    description: 'Most that one open transaction may hold. It is on the disk, not in memory.',
  },
  'transactions.openBytesMax': {
    type: { kind: 'bytes', min: KIB, max: 1024 * GIB },
    default: '16GiB',
    description: 'Most that all open transactions may hold together.',
  },
  'transactions.partitionsMax': {
    type: { kind: 'count', min: 1, max: 100_000 },
    default: 1000,
    description: 'Most partitions that one open transaction may publish to.',
  },
  'transactions.producersMax': {
    type: { kind: 'count', min: 1, max: 10_000_000 },
    default: 100_000,
    description: 'Most transactional producers that are remembered. New ones beyond that are refused.',
  },
  'transactions.unusedMs': {
    type: { kind: 'duration', min: 60_000, max: 10 * 365 * DAY_MS },
    default: '7d',
    description: 'A transactional producer that was not used for so long is forgotten.',
  },
  'metrics.perObject': {
    type: { kind: 'switch' },
    default: false,
    description: 'Whether `/metrics` has series for every queue, subscription and consumer group, besides the totals.',
  },
  'metrics.objectsMax': {
    type: { kind: 'count', min: 0, max: 100_000 },
    default: 500,
    description: 'Most queues and subscriptions, and most groups, that get series of their own.',
  },
  'kafka.advertised': {
    type: { kind: 'address' },
    default: null,
    description:
      'HOST:PORT under which Kafka clients find this broker, when that is not the address to which they first connect: behind a port mapping, a proxy or another name. It is for the listener `kafka`; further ones have their own `advertised`.',
  },
  'kafka.sessionLifetimeMs': {
    type: { kind: 'duration', min: 0, max: 365 * DAY_MS },
    default: '0s',
    description:
      'How long the login of a Kafka client counts. Newer clients log in again in time, on the same connection; others are disconnected, and come back. 0: as long as the connection.',
  },
  'amqp.frameBytesMax': {
    type: { kind: 'bytes', min: 4096, max: 128 * MIB },
    default: '128KiB',
    description: 'Largest frame that AMQP clients may ask for.',
  },
  'amqp.channelsMax': {
    type: { kind: 'count', min: 1, max: 65_535 },
    default: 2047,
    description: 'Most channels that an AMQP connection may have open.',
  },
  'amqp.heartbeatMs': {
    type: { kind: 'duration', min: 0, max: 65_535_000 },
    default: '60s',
    description:
      'Time between heartbeats that AMQP clients are offered, in whole seconds. What the client asks for counts. 0: none.',
  },
  'amqp.consumerTimeoutMs': {
    type: { kind: 'duration', min: 0, max: 6 * DAY_MS },
    default: '30m',
    description:
      'An AMQP channel that holds a delivery for so long without acknowledging it is closed, and its deliveries go to others. 0: never.',
  },
  'amqp.messageBytesMax': {
    type: { kind: 'bytes', min: KIB, max: GIB },
    default: '16MiB',
    description: 'Largest body of a message over AMQP; `limits.batchBytesMax` counts too.',
  },
  'amqp.definitions': {
    type: { kind: 'text' },
    default: null,
    description:
      'File with definitions of RabbitMQ (JSON), such as users, queues, exchanges and policies, that are made at each start where they are missing.',
  },
  'http.allowedOrigins': {
    type: { kind: 'list' },
    default: [],
    description:
      'Web origins, such as https://broker.example.com, from which browsers may use the HTTP API besides the address it is served from. A reverse proxy in front of the broker needs its own here.',
  },
  'tls.cert': {
    type: { kind: 'text' },
    default: null,
    description:
      'PEM file with the certificate, and those between it and a root, that all listeners show. With `tls.key` it turns on TLS for all of them; a replaced file is used without a restart. In the file, a listener can have its own `tls: { cert, key, ca, clientCertificates }`, or `tls: false`.',
  },
  'tls.key': {
    type: { kind: 'text' },
    default: null,
    description: 'PEM file with the key of the certificate.',
  },
  'tls.ca': {
    type: { kind: 'text' },
    default: null,
    description: 'PEM file with what certificates of clients must come from. Then the common name of a certificate is the user.',
  },
  'tls.clientCertificates': {
    type: { kind: 'choice', of: ['optional', 'required'] },
    default: 'optional',
    description: 'Whether clients without a certificate that `tls.ca` vouches for may connect, and log in otherwise.',
  },
  'security.usersFile': {
    type: { kind: 'text' },
    default: null,
    description:
      'File that holds the users and their rules; passwords and tokens are not in it. It may be changed while the broker runs. By default `users.json` in the data directory; with `engine: memory` users are then gone at the end.',
  },
  'security.allowCleartext': {
    type: { kind: 'switch' },
    default: false,
    description:
      'Whether passwords and tokens are taken over connections without TLS from other machines too. Only behind a proxy that does TLS, or in networks that nobody else can read.',
  },
  'security.allowRemoteWithoutUsers': {
    type: { kind: 'switch' },
    default: false,
    description:
      'Whether the broker may listen beyond this machine although everybody who can connect may then do everything. Only for networks that are closed by other means.',
  },
}

export const configPaths: readonly ConfigPath[] = Object.keys(configKeys) as ConfigPath[]

/** `limits.batchBytesMax` -> `MILLRACE_LIMITS_BATCH_BYTES_MAX` */
export function environmentName(path: string): string {
  return `MILLRACE_${words(path).join('_').toUpperCase()}`
}

/** `limits.batchBytesMax` -> `limits-batch-bytes-max` */
export function flagName(path: string): string {
  return words(path).join('-')
}

/** The name under which a command-line parser such as commander hands the flag over: `limitsBatchBytesMax` */
export function flagAttribute(path: string): string {
  return flagName(path).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function words(path: string): string[] {
  return path.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`).split('.')
}
