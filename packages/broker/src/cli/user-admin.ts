import type { UserAdmin } from '@millrace/client'
import type { Command } from 'commander'
import { withBroker } from './session.ts'

export interface FileOption {
  readonly file?: string
}

/** Of commands that go through `withUsers`. */
export function withFile(command: Command): Command {
  return command.option('--file <file>', 'work on this file of users instead of a running broker')
}

/** Runs `work` with the users of a broker, or with those of a file, which no broker need have open. */
export async function withUsers<Result>(
  command: Command,
  file: string | undefined,
  work: (users: UserAdmin) => Promise<Result>,
): Promise<Result> {
  return file === undefined ? withBroker(command, ({ admin }) => work(admin)) : work(await usersOfFile(file))
}

async function usersOfFile(path: string): Promise<UserAdmin> {
  const [{ Users }, { readUserFile, writeUserFile }] = await Promise.all([
    import('../server/security/users.ts'),
    import('../server/security/user-file.ts'),
  ])
  const users = new Users(readUserFile(path), (next) => writeUserFile(path, next))
  return {
    createUser: async (spec) => users.create(spec),
    updateUser: async (name, change) => users.update(name, change),
    deleteUser: async (name) => users.delete(name),
    permit: async (name, permission) => users.permit(name, permission),
    withdraw: async (name, vhost) => users.withdraw(name, vhost),
    permitTopic: async (name, permission) => users.permitTopic(name, permission),
    withdrawTopic: async (name, vhost, exchange) => users.withdrawTopic(name, vhost, exchange),
    user: async (name) => users.get(name),
    users: async () => users.list(),
    createToken: async (name, label = '') => users.createToken(name, label),
    revokeToken: async (name, id) => users.revokeToken(name, id),
  }
}
