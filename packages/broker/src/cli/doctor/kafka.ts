/** Whether clients of Kafka's find the broker: they connect to where it says that it is, not to where they were told to begin. */
import { errors } from '../../protocols/kafka/errors.ts'
import { metadata } from '../../protocols/kafka/messages/cluster.ts'
import { saslAuthenticate, saslHandshake } from '../../protocols/kafka/messages/security.ts'
import type { HostPort } from '../../protocols/kafka/served-api.ts'
import { fail, type Finding, ok, warn } from './check.ts'
import { KafkaConnection, type TlsTrust } from './kafka-connection.ts'

const SETTING =
  'Set `kafka.advertised` (--kafka-advertised HOST:PORT, MILLRACE_KAFKA_ADVERTISED) of the broker, or `advertised` of a further listener, to where its clients reach it: behind a port mapping, a proxy or a tunnel that is the address in front.'

export interface KafkaClientOptions {
  readonly tls: TlsTrust | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  /** Of the listener that is looked at; by default `kafka`. */
  readonly listener?: string
}

interface Found {
  readonly clusterId: string | null
  readonly brokers: readonly HostPort[]
}

/** @param bootstrap what clients are given as the address to begin with */
export async function checkKafka(bootstrap: HostPort, options: KafkaClientOptions): Promise<Finding> {
  const { listener = 'kafka' } = options
  let found: Found
  try {
    found = await look(bootstrap, options)
  } catch (error) {
    return noAnswer(bootstrap, error as Error, options)
  }
  for (const broker of found.brokers) {
    const problem = await reach(broker, found, options)
    if (problem !== undefined)
      return fail(listener, `${shown(bootstrap)} tells clients to connect to ${shown(broker)}, and ${problem}`, SETTING)
  }
  const there = found.brokers.map(shown).join(', ')
  if (isLoopback(bootstrap.host) || !found.brokers.some(({ host }) => isLoopback(host)))
    return ok(listener, `${shown(bootstrap)} tells clients to connect to ${there}, which works from here`)
  return warn(listener, `${shown(bootstrap)} tells clients to connect to ${there}, which works on its own machine only`, SETTING)
}

async function look(address: HostPort, { tls, user, password }: KafkaClientOptions): Promise<Found> {
  const connection = await KafkaConnection.open(address, tls)
  try {
    if (user !== undefined && password !== undefined) await logIn(connection, user, password)
    const { clusterId, brokers } = await connection.ask(metadata, 2, { topics: [] })
    return { clusterId, brokers }
  } finally {
    connection.close()
  }
}

/** With PLAIN, which the broker offers where nobody else can read it, or not at all where nobody logs in. */
async function logIn(connection: KafkaConnection, user: string, password: string): Promise<void> {
  const { errorCode, mechanisms } = await connection.ask(saslHandshake, 1, { mechanism: 'PLAIN' })
  if (errorCode === errors.ILLEGAL_SASL_STATE) return
  if (errorCode !== 0) throw new Error(`PLAIN is not offered over this connection (${mechanisms.join(', ') || 'no logins are'})`)
  const answer = await connection.ask(saslAuthenticate, 1, { authBytes: new Uint8Array(Buffer.from(`\0${user}\0${password}`)) })
  if (answer.errorCode !== 0) throw new Error(`the login was refused: ${answer.errorMessage ?? 'without a reason'}`)
}

/** @returns what is wrong with where clients are told to connect to */
async function reach(broker: HostPort, { clusterId }: Found, options: KafkaClientOptions): Promise<string | undefined> {
  try {
    const there = await look(broker, options)
    return there.clusterId === clusterId ? undefined : 'another broker answers there'
  } catch (error) {
    return `from here that fails: ${(error as Error).message}`
  }
}

function noAnswer(bootstrap: HostPort, { message }: Error, { user, tls, listener = 'kafka' }: KafkaClientOptions): Finding {
  const found = `${shown(bootstrap)}: ${message}`
  if (message.includes('closed') && user === undefined) {
    return warn(
      listener,
      found,
      `If the broker has users, or the listener is for those who log in${tls === undefined ? '' : ' or show a certificate'}: set MILLRACE_USER and MILLRACE_PASSWORD.`,
    )
  }
  return fail(
    listener,
    found,
    'Start the broker with --listen kafka=HOST:PORT, or name with --kafka the address that clients begin with.',
  )
}

function shown({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
