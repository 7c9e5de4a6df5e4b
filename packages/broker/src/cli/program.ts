import { Command, CommanderError, Option } from 'commander'
import { readVersion } from '../server/version.ts'
import { EXIT, exitCodeOf, usageError } from './failure.ts'
import { outputFormats } from './output/format.ts'
import { failureText, formatAsked } from './report-failure.ts'

const DEFAULT_URL = 'millrace://127.0.0.1:6455'

/** Adds one command to the program. */
type AddCommand = (program: Command) => void

/** Each command with its file, which is loaded when it is needed: `start` must be quick, and so should the others. */
const commandFiles: Readonly<Record<string, () => Promise<AddCommand>>> = {
  start: async () => (await import('./commands/start.ts')).addStart,
  pub: async () => (await import('./commands/pub.ts')).addPub,
  sub: async () => (await import('./commands/sub.ts')).addSub,
  request: async () => (await import('./commands/request.ts')).addRequest,
  reply: async () => (await import('./commands/reply.ts')).addReply,
  transform: async () => (await import('./commands/transform.ts')).addTransform,
  peek: async () => (await import('./commands/peek.ts')).addPeek,
  topic: async () => (await import('./commands/topic.ts')).addTopic,
  queue: async () => (await import('./commands/queue.ts')).addQueue,
  subscription: async () => (await import('./commands/subscription.ts')).addSubscription,
  group: async () => (await import('./commands/group.ts')).addGroup,
  transaction: async () => (await import('./commands/transaction.ts')).addTransaction,
  dlq: async () => (await import('./commands/dlq.ts')).addDlq,
  msg: async () => (await import('./commands/msg.ts')).addMsg,
  scheduled: async () => (await import('./commands/scheduled.ts')).addScheduled,
  exchange: async () => (await import('./commands/exchange.ts')).addExchange,
  quota: async () => (await import('./commands/quota.ts')).addQuota,
  user: async () => (await import('./commands/user.ts')).addUser,
  status: async () => (await import('./commands/status.ts')).addStatus,
  bench: async () => (await import('./commands/bench.ts')).addBench,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  completion: async () => (await import('./commands/completion.ts')).addCompletion,
}

/** Runs one command line to its end. @returns the exit code */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    // Completion is about all commands; so is help, and what to suggest instead of a word that is none.
    const program = await createProgram(argv[2] === 'completion' ? undefined : argv[2])
    await program.parseAsync(argv)
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    // Help about what is missing was shown instead.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    const failure = error instanceof CommanderError ? usageError(oneLine(error.message)) : error
    process.stderr.write(await failureText(failure, formatAsked(argv)))
    return exitCodeOf(failure)
  }
}

/** @param only the one command that the program needs to know; all, where it is not a command's name */
export async function createProgram(only?: string): Promise<Command> {
  const program = new Command('millrace')
    .description('A message broker: queues and streams over one durable journal.')
    .version(readVersion())
    .addOption(new Option('--url <url>', 'broker to talk to: millrace://HOST:PORT').env('MILLRACE_URL').default(DEFAULT_URL))
    .addOption(new Option('--user <name>', 'who to log in as; the password is read from MILLRACE_PASSWORD').env('MILLRACE_USER'))
    .addOption(new Option('--ca <file>', 'PEM file with what the certificate of the broker must come from').env('MILLRACE_CA'))
    .addOption(
      new Option('-o, --output <format>', 'format of results (a table is plain and tab-separated when piped)')
        .choices(outputFormats)
        .default('table'),
    )
    .option('-q, --quiet', 'no notes and no progress on stderr')
    .configureHelp({ showGlobalOptions: true })
    // What is wrong is told once, in the format that was asked for.
    .configureOutput({ outputError: () => {} })
    .exitOverride()
  const names = only !== undefined && Object.hasOwn(commandFiles, only) ? [only] : Object.keys(commandFiles)
  for (const name of names) {
    const addCommand = await commandFiles[name]!()
    addCommand(program)
  }
  inheritSettings(program)
  return program
}

/** Commander copies settings only to commands made after they were set on the direct parent. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent)
    inheritSettings(command)
  }
}

/** Commander writes "error: unknown option '--foo'\n(Did you mean --bar?)". */
function oneLine(text: string): string {
  const message = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\n\((Did you mean .*)\)$/, '. $1')
  return /[.?]$/.test(message) ? message : `${message}. \`millrace --help\` shows what there is.`
}
