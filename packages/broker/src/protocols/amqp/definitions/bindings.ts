import { exchangeAddress } from '@millrace/wire'
import type { Binding, ExchangeInfo, HeadersMatch, HeaderValue } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import type { Client } from '../client.ts'
import type { FieldTable } from '../codec/field-table.ts'
import type { VhostNames } from '../vhost-names.ts'
import { Arguments, type ArgumentsJson } from './arguments.ts'
import { checkNotDefault, type Exchanges } from './exchanges.ts'
import { labelsOf } from './labels.ts'
import type { Queues } from './queues.ts'

const MODES: readonly HeadersMatch['mode'][] = ['all', 'any', 'all-with-x', 'any-with-x']
const MATCH = 'x-match'

/** From where to where, as a client says it. */
export interface BindingRequest {
  readonly source: string
  readonly destination: string
  readonly routingKey: string
  readonly arguments: FieldTable
}

/** Bindings of one virtual host. Methods throw AmqpError and MillraceError. */
export class Bindings {
  readonly #client: Client
  readonly #queues: Queues
  readonly #exchanges: Exchanges

  constructor(client: Client, queues: Queues, exchanges: Exchanges) {
    this.#client = client
    this.#queues = queues
    this.#exchanges = exchanges
  }

  bindQueue(request: BindingRequest): Ticket {
    return this.#client.broker.router.bind(this.#toQueue(request))
  }

  bindExchange(request: BindingRequest): Ticket {
    return this.#client.broker.router.bind(this.#toExchange(request))
  }

  /** What is not there is unbound already. */
  unbindQueue(request: BindingRequest): Ticket {
    if (this.#queues.find(request.destination) === undefined || this.#isSourceMissing(request))
      return this.#client.broker.visibleTicket
    return this.#client.broker.router.unbind(this.#toQueue(request))
  }

  unbindExchange(request: BindingRequest): Ticket {
    if (this.#exchanges.find(request.destination) === undefined || this.#isSourceMissing(request))
      return this.#client.broker.visibleTicket
    return this.#client.broker.router.unbind(this.#toExchange(request))
  }

  #isSourceMissing({ source }: BindingRequest): boolean {
    return source !== '' && this.#exchanges.find(source) === undefined
  }

  #toQueue(request: BindingRequest): Binding {
    const found = this.#queues.get(request.destination)
    checkNotDefault(request.source)
    this.#client.access.check('publish', found.kind, request.destination)
    return this.#binding(request, this.#queues.address(request.destination, found))
  }

  #toExchange(request: BindingRequest): Binding {
    checkNotDefault(request.destination)
    checkNotDefault(request.source)
    const { name } = this.#exchanges.get(request.destination)
    this.#client.access.check('publish', 'exchange', request.destination)
    return this.#binding(request, exchangeAddress(name))
  }

  #binding({ source, routingKey, arguments: table }: BindingRequest, destination: string): Binding {
    const exchange = this.#exchanges.get(source)
    this.#client.access.check('read', 'exchange', source)
    if (exchange.type === 'topic') this.#client.access.checkTopic(exchange.name, routingKey, 'read')
    return bindingOf(exchange, destination, routingKey, table, this.#client.names)
  }
}

/** @param given for an exchange by headers what it looks for; for others they only tell bindings apart */
export function bindingOf(
  source: ExchangeInfo,
  destination: string,
  key: string,
  given: FieldTable | ArgumentsJson,
  names: VhostNames,
): Binding {
  const args = new Arguments(given, `binding to ${names.told('exchange', names.own(source.name))}`)
  return {
    source: source.name,
    destination,
    key,
    ...(source.type === 'headers' ? { match: headersMatch(args) } : {}),
    ...(Object.keys(args.json).length === 0 ? {} : { labels: labelsOf({ arguments: args.json }) }),
  }
}

function headersMatch(args: Arguments): HeadersMatch {
  const mode = args.choice(MATCH, MODES) ?? 'all'
  const withX = mode.endsWith('-with-x')
  const headers: Record<string, HeaderValue | null> = {}
  for (const [name, value] of Object.entries(args.json)) {
    if (name === MATCH || (!withX && name.startsWith('x-'))) continue
    if (typeof value === 'object' && value !== null) throw args.refused(name, 'headers are compared with text and numbers')
    headers[name] = value
  }
  return { mode, headers }
}
