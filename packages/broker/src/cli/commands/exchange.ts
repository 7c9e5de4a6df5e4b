import type { Binding, ExchangeInfo, ExchangeSpec, HeadersMatch } from '@millrace/client'
import { type Command, Option } from 'commander'
import { usageError } from '../failure.ts'
import { formatCount } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { collectHeader } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { addRemovalOptions, confirmRemoval, type RemovalOptions } from './removal.ts'

const TYPES: readonly ExchangeSpec['type'][] = ['direct', 'fanout', 'topic', 'headers', 'consistent-hash']
const MODES: readonly HeadersMatch['mode'][] = ['all', 'any', 'all-with-x', 'any-with-x']

interface CreateOptions {
  readonly type: ExchangeSpec['type']
  readonly alternate?: string
  readonly autoDelete?: boolean
  readonly internal?: boolean
  readonly delayed?: boolean
  readonly transient?: boolean
  readonly hashHeader?: string
}

interface BindOptions {
  readonly key?: string
  readonly header?: Readonly<Record<string, string>>
  readonly mode?: HeadersMatch['mode']
}

const columns: readonly Column<ExchangeInfo>[] = [
  { title: 'EXCHANGE', cell: (exchange) => exchange.name },
  { title: 'TYPE', cell: (exchange) => exchange.type },
  { title: 'IN', cell: (exchange) => formatCount(exchange.counters.in), align: 'right' },
  { title: 'OUT', cell: (exchange) => formatCount(exchange.counters.out), align: 'right' },
  { title: 'UNROUTABLE', cell: (exchange) => formatCount(exchange.counters.unroutable), align: 'right' },
  { title: 'SETTINGS', cell: settingsOf },
]

const bindingColumns: readonly Column<Binding>[] = [
  { title: 'EXCHANGE', cell: (binding) => binding.source },
  { title: 'DESTINATION', cell: (binding) => binding.destination },
  { title: 'KEY', cell: (binding) => binding.key ?? '' },
  { title: 'MATCH', cell: ({ match }) => (match === undefined ? '' : `${match.mode} ${JSON.stringify(match.headers)}`) },
]

export function addExchange(program: Command): void {
  const exchange = program.command('exchange').description('Exchanges: what is published to them goes where bindings lead')
  addDefinitions(exchange)
  addRemoval(exchange)
  addBindings(exchange)
}

function addDefinitions(exchange: Command): void {
  exchange
    .command('ls')
    .description('List exchanges')
    .action(async (_options: unknown, command: Command) => {
      await outputOf(command).rows(await withBroker(command, ({ admin }) => admin.exchanges()), columns)
    })
  exchange
    .command('create')
    .description('Create an exchange, or do nothing if it exists with the same settings')
    .argument('<name>')
    .addOption(new Option('--type <type>', 'how it decides which bindings take a message').choices(TYPES).default('topic'))
    .option('--alternate <exchange>', 'gets what no binding takes')
    .option('--auto-delete', 'delete it when its last binding goes')
    .option('--internal', 'only other exchanges may publish to it')
    .option('--delayed', 'messages with a header x-delay wait so many milliseconds')
    .option('--transient', 'it is gone when the broker starts again')
    .option('--hash-header <name>', 'of consistent-hash: the header that is hashed instead of the key')
    .action(async (name: string, options: CreateOptions, command: Command) => {
      await withBroker(command, ({ admin }) => admin.createExchange(specOf(name, options)))
      outputOf(command).note(`created exchange ${name}`)
    })
  exchange
    .command('get')
    .description('Describe an exchange')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const info = await withBroker(command, ({ admin }) => admin.exchange(name))
      await outputOf(command).object(info, [
        ['name', info.name],
        ['type', info.type],
        ['settings', settingsOf(info)],
        ['in', formatCount(info.counters.in)],
        ['out', formatCount(info.counters.out)],
        ['unroutable', formatCount(info.counters.unroutable)],
      ])
    })
}

function addRemoval(exchange: Command): void {
  addRemovalOptions(exchange.command('rm').description('Delete an exchange with its bindings').argument('<name>'))
    .option('--if-unused', 'only when it has no bindings')
    .action(async (name: string, options: RemovalOptions & { readonly ifUnused?: boolean }, command: Command) => {
      await withBroker(command, async ({ admin }) => {
        const bindings = await admin.bindings({ source: name })
        if (!(await confirmRemoval(`exchange ${name} with ${formatCount(bindings.length)} bindings`, options))) return
        await admin.deleteExchange(name, options.ifUnused === true ? { ifUnused: true } : {})
        outputOf(command).note(`deleted exchange ${name}`)
      })
    })
}

function addBindings(exchange: Command): void {
  for (const [name, description, done] of [
    ['bind', 'Bind a queue, topic or exchange to an exchange', 'bound'],
    ['unbind', 'Take a binding away', 'unbound'],
  ] as const) {
    exchange
      .command(name)
      .description(description)
      .argument('<exchange>')
      .argument('<destination>', 'queue:NAME, topic:NAME or exchange:NAME')
      .option('--key <key>', 'pattern for topic exchanges, weight for consistent-hash')
      .option('-H, --header <name=value>', 'of headers exchanges: what a message must have; may be repeated', collectHeader)
      .addOption(new Option('--mode <mode>', 'of headers exchanges: all of them, or any (default all)').choices(MODES))
      .action(async (source: string, destination: string, options: BindOptions, command: Command) => {
        const binding = bindingOf(source, destination, options)
        await withBroker(command, ({ admin }) => admin[name](binding))
        outputOf(command).note(`${done} ${destination}`)
      })
  }
  exchange
    .command('bindings')
    .description('List bindings: of one exchange, or all')
    .argument('[exchange]')
    .option('--to <destination>', 'those to this queue, topic or exchange')
    .action(async (source: string | undefined, { to }: { readonly to?: string }, command: Command) => {
      const where = { ...(source === undefined ? {} : { source }), ...(to === undefined ? {} : { destination: to }) }
      await outputOf(command).rows(await withBroker(command, ({ admin }) => admin.bindings(where)), bindingColumns)
    })
}

function specOf(name: string, options: CreateOptions): ExchangeSpec {
  const { type, alternate, autoDelete, internal, delayed, transient, hashHeader } = options
  return {
    name,
    type,
    ...(alternate === undefined ? {} : { alternate }),
    ...(autoDelete === true ? { autoDelete } : {}),
    ...(internal === true ? { internal } : {}),
    ...(delayed === true ? { delayed } : {}),
    ...(transient === true ? { durable: false } : {}),
    ...(hashHeader === undefined ? {} : { hashOn: { header: hashHeader } }),
  }
}

function bindingOf(source: string, destination: string, { key, header, mode }: BindOptions): Binding {
  if (mode !== undefined && header === undefined) throw usageError('--mode goes with --header.')
  return {
    source,
    destination,
    ...(key === undefined ? {} : { key }),
    ...(header === undefined ? {} : { match: { mode: mode ?? 'all', headers: header } }),
  }
}

function settingsOf({ durable, autoDelete, internal, delayed, alternate, hashOn }: ExchangeInfo): string {
  const settings = [
    ...(durable ? [] : ['transient']),
    ...(autoDelete ? ['auto-delete'] : []),
    ...(internal ? ['internal'] : []),
    ...(delayed === true ? ['delayed'] : []),
    ...(alternate === undefined ? [] : [`alternate ${JSON.stringify(alternate)}`]),
    ...(hashOn === undefined ? [] : [`hash on ${Object.values(hashOn).join()}`]),
  ]
  return settings.join(', ')
}
