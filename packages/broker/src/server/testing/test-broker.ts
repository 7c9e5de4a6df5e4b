import { connectInProcess, type ConnectOptions, type ErrorCode, type Millrace, MillraceError } from '@millrace/client'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'
import { openCore } from '../open-core.ts'
import { sessionContext } from '../session-context.ts'
import { Connections } from './connections.ts'
import { DeadLetterWatch } from './dead-letter-watch.ts'
import { type FaultOptions, type FaultPoint, Faults } from './faults.ts'
import { durationMs, type MessageLog } from './message-log.ts'
import { Recorder, type SpiedEvent } from './recorder.ts'
import { VirtualTime } from './virtual-time.ts'

export type { FaultOptions, FaultPoint } from './faults.ts'
export type { MessageLog, SpiedMessage } from './message-log.ts'

/** What follows the first parameter in either form of `failNext`. */
type FailNextRest = readonly [(ErrorCode | MillraceError | FaultOptions)?, FaultOptions?]

const START_MS: number = Date.UTC(2025, 0, 1)

export interface TestBrokerOptions {
  /** What the virtual clock shows at first, milliseconds since 1970. Default 2025-01-01T00:00:00Z. */
  readonly startMs?: number
  /** Of chance: jitter, partitions for messages without a key. Default 1. */
  readonly seed?: number
  /** Whether publishing to a queue or topic that does not exist creates it. Default true. */
  readonly autoCreate?: boolean
  readonly client?: TestClientOptions
  /** What an operator should look at. */
  readonly onWarning?: (message: string) => void
}

export type TestClientOptions = Omit<ConnectOptions, 'WebSocket' | 'user' | 'password'>

/** The time of one test broker and its clients. It stands still unless the test moves it. */
export interface TestClock {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /**
   * Moves time on by milliseconds or '5m': leases, delays, expiry and reconnects happen at their times, in order, and all work
   * comes to rest after each.
   */
  advance(by: number | string): Promise<void>
  /** Lets all work that needs no time come to rest: publishes, deliveries, handlers as far as they wait for nothing from outside. */
  settle(): Promise<void>
  /** Resolves when the test has moved time on so far: for handlers that shall take long. */
  sleep(duration: number | string): Promise<void>
}

/** A place as `queue:NAME`, `topic:NAME`, `topic:NAME/SUBSCRIPTION`, or a declaration. */
export type Place = string | { readonly destination: string }

export interface TestBroker extends AsyncDisposable {
  readonly client: Millrace
  readonly clock: TestClock
  /** Another client of the same broker. */
  connect(options?: TestClientOptions): Promise<Millrace>
  /** What was published to a queue or topic by clients, once it was durable. Dead letters are not published. */
  published(destination: Place): MessageLog
  /** What the broker gave to consumers of a queue or subscription, each attempt. Their handlers run a little later: `clock.settle()`. */
  consumed(source: Place): MessageLog
  acked(source: Place): MessageLog
  /** `reason` is the error of the handler. */
  nacked(source: Place): MessageLog
  rejected(source: Place): MessageLog
  /** What went from there to its dead letters. Without a dead-letter destination nothing does. */
  deadLettered(source: Place): MessageLog
  /** Has the next call of that kind fail with this code, for whichever client makes it. */
  failNext(point: Exclude<FaultPoint, 'confirm'>, error: ErrorCode | MillraceError, options?: FaultOptions): void
  /** Takes the next publish, and loses the connection before it is confirmed: the client sends it again. */
  failNext(point: 'confirm', options?: FaultOptions): void
  /**
   * Cuts all connections, and takes no new ones before so much time has passed on the clock. Default 0: clients are back at once.
   * They try again after growing pauses, of 5 seconds at most.
   */
  disconnect(duration?: number | string): void
  /** Closes its clients and the broker. Idempotent. */
  close(): Promise<void>
}

/** A real broker inside this process, in memory, with a clock that the test moves. Several do not know of each other. */
export async function testBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const time = new VirtualTime(options.startMs ?? START_MS, options.seed ?? 1)
  const warn = options.onWarning
  const log = warn === undefined ? silentLog : { ...silentLog, warn: (_event: string, message: string) => warn(message) }
  const config = await loadConfig({ flags: { engine: 'memory', listen: 'none', autoCreate: options.autoCreate } })
  const core = await openCore(config, time.platform, log)
  const recorder = new Recorder(time)
  const faults = new Faults()
  const deadLetters = new DeadLetterWatch(core.broker, recorder)
  const context = sessionContext(core, time.sessionPlatform, config, 0, () => ({}))
  const status = (): ReturnType<typeof context.status> => ({
    ...context.status(),
    uptimeMs: time.platform.clock.monotonicMs(),
  })
  const spies = { broker: core.broker, recorder, faults, deadLetters }
  const connections = new Connections(spies, (broker) => ({ ...context, broker, status }))
  const clients = new Set<Millrace>()
  let closed: Promise<void> | undefined
  const connect = async (clientOptions: TestClientOptions = {}): Promise<Millrace> => {
    if (closed !== undefined) throw new MillraceError('closed', 'This test broker is closed.')
    const client = await connectInProcess((connection) => connections.accept(connection), clientOptions, time.clientPlatform)
    clients.add(client)
    return client
  }
  const stop = async (): Promise<void> => {
    try {
      await time.until(Promise.all([...clients].map((client) => client.close())))
    } finally {
      await time.until(core.close())
      recorder.end()
      time.stop()
    }
  }
  const close = (): Promise<void> => (closed ??= stop())
  const client = await connect(options.client).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return {
    client,
    clock: clockOf(time),
    connect,
    ...logsOf(recorder, deadLetters),
    failNext: (point: FaultPoint, ...rest: FailNextRest) => planFault(faults, point, rest),
    disconnect(duration = 0) {
      const ms = durationMs(duration)
      if (ms === 0) connections.cutAll()
      else void connections.keepAway(time.sleep(ms))
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function logsOf(recorder: Recorder, deadLetters: DeadLetterWatch): Pick<TestBroker, SpiedEvent> {
  const ofConsumers =
    (event: SpiedEvent) =>
    (source: Place): MessageLog =>
      recorder.log(event, sourceName(source))
  return {
    published: (destination) => recorder.log('published', placeName(destination)),
    consumed: ofConsumers('consumed'),
    acked: ofConsumers('acked'),
    nacked: ofConsumers('nacked'),
    rejected: ofConsumers('rejected'),
    deadLettered(source) {
      deadLetters.watch(sourceName(source))
      return recorder.log('deadLettered', sourceName(source))
    },
  }
}

function clockOf(time: VirtualTime): TestClock {
  return {
    get nowMs() {
      return time.nowMs
    },
    advance: async (by) => time.advance(durationMs(by)),
    settle: () => time.settle(),
    sleep: async (duration) => time.sleep(durationMs(duration)),
  }
}

function planFault(faults: Faults, point: FaultPoint, rest: FailNextRest): void {
  const [first, second] = rest
  if (point === 'confirm') faults.plan(point, 'closed', (first as FaultOptions | undefined) ?? {})
  else faults.plan(point, first as ErrorCode | MillraceError, second ?? {})
}

/** @throws MillraceError `bad_request`: a log of a place that cannot be would stay empty and prove nothing */
function placeName(place: Place): string {
  const name = typeof place === 'string' ? place : place.destination
  if (/^(queue|topic):./.test(name)) return name
  throw new MillraceError(
    'bad_request',
    `${JSON.stringify(name)} is no place: write queue:NAME, topic:NAME or topic:NAME/SUBSCRIPTION.`,
  )
}

function sourceName(place: Place): string {
  const name = placeName(place)
  if (!/^topic:[^/]*$/.test(name)) return name
  throw new MillraceError('bad_request', `${name} is consumed through its subscriptions: write ${name}/SUBSCRIPTION.`)
}
