import { Option } from 'commander'
import type { Command } from 'commander'
import { configFlags } from '../../server/config/flags.ts'
import type { ConfigFlag } from '../../server/config/flags.ts'

export function addStart(program: Command): void {
  const start = program
    .command('start')
    .description('Run a broker until SIGTERM or SIGINT')
    .option('--config <FILE>', 'YAML file with settings; environment and flags override it (environment: MILLRACE_CONFIG)')
  for (const flag of configFlags()) start.addOption(settingOption(flag))
  start.action(async ({ config: file, ...flags }: Record<string, unknown>) => {
    await runBroker(flags, file as string | undefined)
  })
}

/** Only this command loads the server, and only when it runs: the others start faster without it. */
async function runBroker(flags: Readonly<Record<string, unknown>>, file: string | undefined): Promise<never> {
  const [{ loadConfig }, { runServer }] = await Promise.all([
    import('../../server/config/load.ts'),
    import('../../server/run-server.ts'),
  ])
  const config = await loadConfig({ flags, env: process.env, file, onWarning: warn })
  // A broker that failed is left as it is: nothing that it still has open may keep the process alive.
  process.exit(await runServer(config))
}

function warn(message: string): void {
  process.stderr.write(`millrace: ${message}\n`)
}

/** Values are checked by the loader of the configuration, which also says where a wrong one came from. */
function settingOption(flag: ConfigFlag): Option {
  const value = flag.isSwitch ? `[${flag.valueName}]` : `<${flag.valueName}>`
  const standard = flag.defaultText === undefined ? '' : `default: ${flag.defaultText}, `
  const option = new Option(`--${flag.name} ${value}`, `${flag.description} (${standard}environment: ${flag.environment})`)
  if (flag.isSwitch) option.preset('true')
  if (flag.repeats) option.argParser((text: string, previous: readonly string[] | undefined) => [...(previous ?? []), text])
  return option
}
