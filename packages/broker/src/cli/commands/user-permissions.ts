import type { UserInfo } from '@millrace/client'
import { type Command, InvalidArgumentError } from 'commander'
import type { Column } from '../output/table.ts'
import { outputOf } from '../session.ts'
import { type FileOption, withFile, withUsers } from '../user-admin.ts'

interface PlaceOptions extends FileOption {
  readonly vhost: string
  readonly exchange?: string
}

interface PermitOptions extends PlaceOptions {
  readonly configure?: string
  readonly write: string
  readonly read: string
}

interface Row {
  readonly vhost: string
  readonly exchange: string
  readonly configure: string
  readonly write: string
  readonly read: string
}

const columns: readonly Column<Row>[] = [
  { title: 'VHOST', cell: ({ vhost }) => vhost },
  { title: 'EXCHANGE', cell: ({ exchange }) => exchange || '-' },
  { title: 'CONFIGURE', cell: ({ configure }) => configure || '-' },
  { title: 'WRITE', cell: ({ write }) => write || '-' },
  { title: 'READ', cell: ({ read }) => read || '-' },
]

/** Permissions in virtual hosts, in RabbitMQ's terms. */
export function addPermissions(user: Command): void {
  inPlace(
    user
      .command('permit')
      .description('Set what a user may do in a virtual host, or with --exchange which keys it may use there')
      .argument('<name>'),
  )
    .option('--configure <pattern>', 'queues and exchanges that it may create, change and delete')
    .option('--write <pattern>', 'those to which it may publish; with --exchange, the keys', '')
    .option('--read <pattern>', 'those that it may consume and read; with --exchange, the keys', '')
    .action(async (name: string, options: PermitOptions, command: Command) => {
      const { vhost, exchange, configure = '', write, read, file } = options
      if (exchange !== undefined && configure !== '')
        throw new InvalidArgumentError('Keys are not configured: leave --configure out with --exchange.')
      await withUsers(command, file, (users) =>
        exchange === undefined
          ? users.permit(name, { vhost, configure, write, read })
          : users.permitTopic(name, { vhost, exchange, write, read }),
      )
      outputOf(command).note(`changed the permissions of ${name} in ${vhost}`)
    })
  inPlace(
    user
      .command('withdraw')
      .description('Take the permission of a user in a virtual host away, or what permit --exchange said')
      .argument('<name>'),
  ).action(async (name: string, { vhost, exchange, file }: PlaceOptions, command: Command) => {
    await withUsers(command, file, (users) =>
      exchange === undefined ? users.withdraw(name, vhost) : users.withdrawTopic(name, vhost, exchange),
    )
    outputOf(command).note(`changed the permissions of ${name} in ${vhost}`)
  })
  withFile(user.command('permissions').description('List what a user may do in virtual hosts').argument('<name>')).action(
    async (name: string, { file }: FileOption, command: Command) => {
      await outputOf(command).rows(rowsOf(await withUsers(command, file, (users) => users.user(name))), columns)
    },
  )
}

function inPlace(command: Command): Command {
  return withFile(command)
    .option('--vhost <name>', 'virtual host', '/')
    .option('--exchange <name>', 'exchange, for keys; amq.default is the default one')
}

function rowsOf({ permissions, topicPermissions }: UserInfo): readonly Row[] {
  return [
    ...permissions.map((each) => ({ ...each, exchange: '' })),
    ...topicPermissions.map((each) => ({ ...each, configure: '' })),
  ]
}
