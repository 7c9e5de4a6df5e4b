import type { QuotaScope, QuotaSpec } from '@millrace/client'
import type { Command } from 'commander'
import { formatBytes } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { parseSize } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'

interface ScopeOptions {
  readonly forUser?: string
  readonly clientId?: string
}

interface RateOptions extends ScopeOptions {
  readonly publishRate?: number
  readonly consumeRate?: number
  readonly requestPercent?: number
  readonly partitionChanges?: number
}

const columns: readonly Column<QuotaSpec>[] = [
  { title: 'USER', cell: ({ user }) => user ?? '-' },
  { title: 'CLIENT', cell: ({ clientId }) => clientId ?? '-' },
  { title: 'PUBLISH', cell: ({ publishBytesPerSecond: rate }) => perSecond(rate), align: 'right' },
  { title: 'CONSUME', cell: ({ consumeBytesPerSecond: rate }) => perSecond(rate), align: 'right' },
  { title: 'REQUESTS', cell: ({ requestPercent: share }) => (share === undefined ? '-' : `${share} %`), align: 'right' },
  {
    title: 'PARTITIONS',
    cell: ({ partitionChangesPerSecond: rate }) => (rate === undefined ? '-' : `${rate}/s`),
    align: 'right',
  },
]

function perSecond(rate: number | undefined): string {
  return rate === undefined ? '-' : `${formatBytes(rate)}/s`
}

export function addQuota(program: Command): void {
  const quota = program.command('quota').description('Limit how much users and clients publish, consume and have done')
  quota
    .command('ls')
    .description('List quotas')
    .action(async (_options: unknown, command: Command) => {
      await outputOf(command).rows(await withBroker(command, ({ admin }) => admin.quotas()), columns)
    })
  withScope(quota.command('set').description('Set a quota, in place of what there was for the same user and client'))
    .option('--publish-rate <size>', 'bytes per second that may be published', parseSize)
    .option('--consume-rate <size>', "bytes per second that Kafka's clients may fetch", parseSize)
    .option('--request-percent <percent>', "per cent of the broker's time for requests of Kafka's clients", Number)
    .option('--partition-changes <rate>', "partitions per second that Kafka's clients may create and delete", Number)
    .action(async ({ publishRate, consumeRate, requestPercent, partitionChanges, ...options }: RateOptions, command: Command) => {
      const spec = {
        ...scopeOf(options),
        ...(publishRate === undefined ? {} : { publishBytesPerSecond: publishRate }),
        ...(consumeRate === undefined ? {} : { consumeBytesPerSecond: consumeRate }),
        ...(requestPercent === undefined ? {} : { requestPercent }),
        ...(partitionChanges === undefined ? {} : { partitionChangesPerSecond: partitionChanges }),
      }
      await withBroker(command, ({ admin }) => admin.setQuota(spec))
      outputOf(command).note('set')
    })
  withScope(quota.command('rm').description('Take a quota away')).action(async (options: ScopeOptions, command: Command) => {
    await withBroker(command, ({ admin }) => admin.removeQuota(scopeOf(options)))
    outputOf(command).note('taken away')
  })
}

function withScope(command: Command): Command {
  return command
    .option('--for-user <name>', "a user; '*' for each that has no other quota")
    .option('--client-id <name>', "what a client calls itself; '*' for each that has no other quota")
}

function scopeOf({ forUser, clientId }: ScopeOptions): QuotaScope {
  return { ...(forUser === undefined ? {} : { user: forUser }), ...(clientId === undefined ? {} : { clientId }) }
}
