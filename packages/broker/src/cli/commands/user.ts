import type { UserInfo, UserSpec } from '@millrace/client'
import type { Command } from 'commander'
import { parseIndex } from '../quantities.ts'
import type { Column } from '../output/table.ts'
import { readPassword } from '../read-password.ts'
import { outputOf } from '../session.ts'
import { type FileOption, withFile, withUsers } from '../user-admin.ts'
import { addPermissions } from './user-permissions.ts'
import { addRemovalOptions, confirmRemoval, type RemovalOptions } from './removal.ts'

interface RuleOptions extends FileOption {
  readonly rule?: readonly string[]
  readonly role?: readonly string[]
  readonly admin?: true
  readonly tag?: readonly string[]
  readonly maxConnections?: number
  readonly maxChannels?: number
}

const ADMIN_RULE = 'allow all **'

const columns: readonly Column<UserInfo>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'PASSWORD', cell: ({ password }) => (password ? 'yes' : 'no') },
  { title: 'TOKENS', cell: ({ tokens }) => String(tokens.length), align: 'right' },
  { title: 'ROLES', cell: ({ roles }) => roles.join(', ') || '-' },
  { title: 'RULES', cell: ({ rules }) => rules.join('; ') || '-' },
  { title: 'TAGS', cell: ({ tags }) => tags.join(', ') || '-' },
]

const tokenColumns: readonly Column<UserInfo['tokens'][number]>[] = [
  { title: 'TOKEN', cell: ({ id }) => id },
  { title: 'LABEL', cell: ({ label }) => label },
]

export function addUser(program: Command): void {
  const user = program.command('user').description('Manage users, what they may do, and their tokens')
  addAdd(user)
  addSet(user)
  addPasswd(user)
  addLs(user)
  addRm(user)
  addTokens(user)
  addPermissions(user)
}

function withRules(command: Command): Command {
  return withFile(command)
    .option(
      '--rule <rule...>',
      "what it may do or not, as 'allow publish,consume queue:orders.*', and ' from 10.0.0.0/8' if from there alone",
    )
    .option('--role <user...>', 'other users whose rules count for it too')
    .option('--tag <tag...>', 'administrator, monitoring, policymaker, management, or words of your own')
    .option('--max-connections <n>', 'how many AMQP connections it may have', parseIndex)
    .option('--max-channels <n>', 'how many AMQP channels it may have', parseIndex)
    .option('--admin', `may do everything: the rule '${ADMIN_RULE}'`)
}

function addAdd(user: Command): void {
  withRules(user.command('add').description('Add a user; the password is asked for, or read from stdin').argument('<name>'))
    .option('--no-password', 'nobody can log in with a password: for roles, tokens and certificates')
    .action(async (name: string, options: RuleOptions & { password: boolean }, command: Command) => {
      const password = options.password ? await readPassword(name) : undefined
      const spec = { name, ...(password === undefined ? {} : { password }), ...given(options) }
      await withUsers(command, options.file, (users) => users.createUser(spec))
      outputOf(command).note(`added user ${name}`)
    })
}

function addSet(user: Command): void {
  withRules(
    user.command('set').description('Replace rules, roles, tags or limits of a user; open connections follow').argument('<name>'),
  ).action(async (name: string, options: RuleOptions, command: Command) => {
    await withUsers(command, options.file, (users) => users.updateUser(name, given(options)))
    outputOf(command).note(`changed user ${name}`)
  })
}

function given({ rule, role, admin, tag, maxConnections, maxChannels }: RuleOptions): Omit<UserSpec, 'name'> {
  const rules = rule === undefined && admin === undefined ? undefined : [...(rule ?? []), ...(admin === true ? [ADMIN_RULE] : [])]
  const limits = {
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxChannels === undefined ? {} : { maxChannels }),
  }
  return {
    ...(rules === undefined ? {} : { rules }),
    ...(role === undefined ? {} : { roles: role }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  }
}

function addPasswd(user: Command): void {
  withFile(
    user.command('passwd').description('Change the password of a user; it is asked for, or read from stdin').argument('<name>'),
  ).action(async (name: string, { file }: FileOption, command: Command) => {
    const password = await readPassword(name)
    await withUsers(command, file, (users) => users.updateUser(name, { password }))
    outputOf(command).note(`changed the password of ${name}`)
  })
}

function addLs(user: Command): void {
  withFile(user.command('ls').description('List users')).action(async (_: unknown, command: Command) => {
    const { file } = command.opts<FileOption>()
    await outputOf(command).rows(await withUsers(command, file, (users) => users.users()), columns)
  })
}

function addRm(user: Command): void {
  addRemovalOptions(withFile(user.command('rm').description('Remove a user, and end its connections').argument('<name>'))).action(
    async (name: string, options: RemovalOptions & FileOption, command: Command) => {
      await withUsers(command, options.file, async (users) => {
        await users.user(name)
        if (!(await confirmRemoval(`user ${name} with its tokens`, options))) return
        await users.deleteUser(name)
        outputOf(command).note(`removed user ${name}`)
      })
    },
  )
}

function addTokens(user: Command): void {
  withFile(
    user.command('token').description('Make a token that stands for user and password; it is shown this once').argument('<name>'),
  )
    .option('--label <text>', 'what it is for')
    .action(async (name: string, { file, label }: FileOption & { label?: string }, command: Command) => {
      const { id, token } = await withUsers(command, file, (users) => users.createToken(name, label))
      const output = outputOf(command)
      if (output.format === 'table') await output.write(`${token}\n`)
      else await output.object({ id, token }, [])
    })
  withFile(user.command('tokens').description('List the tokens of a user').argument('<name>')).action(
    async (name: string, { file }: FileOption, command: Command) => {
      const { tokens } = await withUsers(command, file, (users) => users.user(name))
      await outputOf(command).rows(tokens, tokenColumns)
    },
  )
  withFile(user.command('revoke').description('Take a token back').argument('<name>').argument('<token>')).action(
    async (name: string, id: string, { file }: FileOption, command: Command) => {
      await withUsers(command, file, (users) => users.revokeToken(name, id))
      outputOf(command).note(`revoked token ${id} of ${name}`)
    },
  )
}
