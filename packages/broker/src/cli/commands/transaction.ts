import type { ProducerTransactionInfo, ProducerTransactionSummary } from '@millrace/client'
import type { Command } from 'commander'
import { formatBytes, formatDuration, formatTime } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { outputOf, withBroker } from '../session.ts'

const columns: readonly Column<ProducerTransactionSummary>[] = [
  { title: 'TRANSACTIONAL ID', cell: ({ transactionalId }) => transactionalId },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'STARTED', cell: ({ startedMs }) => (startedMs === undefined ? '-' : formatTime(startedMs)) },
  { title: 'TIMEOUT', cell: ({ timeoutMs }) => formatDuration(timeoutMs), align: 'right' },
  { title: 'PRODUCER', cell: ({ producerId, epoch }) => `${producerId}/${epoch}`, align: 'right' },
]

export function addTransaction(program: Command): void {
  const transaction = program.command('transaction').description('List, inspect and abort transactions that stay open')
  transaction
    .command('ls')
    .description('List transactional producers with the state of their transactions')
    .option('--open', 'only those whose transaction is open')
    .action(async ({ open }: { readonly open?: true }, command: Command) => {
      const all = await withBroker(command, ({ admin }) => admin.producerTransactions())
      await outputOf(command).rows(open === true ? all.filter(({ state }) => state === 'open') : all, columns)
    })
  transaction
    .command('describe')
    .description('Show what a transaction has done so far')
    .argument('<id>', 'what the producer calls itself')
    .action(async (id: string, _options: unknown, command: Command) => {
      const info = await withBroker(command, ({ admin }) => admin.producerTransaction(id))
      await outputOf(command).object(info, fieldsOf(info))
    })
  transaction
    .command('abort')
    .description('Abort the open transaction of a producer, which is told so')
    .argument('<id>', 'what the producer calls itself')
    .action(async (id: string, _options: unknown, command: Command) => {
      const aborted = await withBroker(command, ({ admin }) => admin.abortProducerTransaction(id))
      outputOf(command).note(aborted ? `aborted the transaction of ${id}` : `${id} has no open transaction`)
    })
}

function fieldsOf(info: ProducerTransactionInfo): readonly (readonly [name: string, value: string])[] {
  const { transactionalId, state, startedMs, timeoutMs, producerId, epoch, partitions, groups, bytes } = info
  const places = partitions.map(({ kind, name, partition }) => `${kind}:${name}/${partition}`)
  return [
    ['transactional id', transactionalId],
    ['state', state],
    ['started', startedMs === undefined ? '-' : formatTime(startedMs)],
    ['timeout', formatDuration(timeoutMs)],
    ['producer', `${producerId}, epoch ${epoch}`],
    ['publishes to', places.join(', ') || '-'],
    ['offsets of', groups.join(', ') || '-'],
    ['waiting', formatBytes(bytes)],
  ]
}
