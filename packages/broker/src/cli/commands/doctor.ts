import pc from 'picocolors'
import type { Command } from 'commander'
import { configKeys } from '../../server/config/keys.ts'
import type { Finding } from '../doctor/check.ts'
import { EXIT } from '../failure.ts'
import { globalOptions, outputOf, type Login } from '../session.ts'

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check what a broker needs: connection, disk, ports, limits, clock')
    .option('--data <dir>', 'data directory to check', process.env['MILLRACE_DATA'] ?? String(configKeys.data.default))
    .action(async ({ data }: { readonly data: string }, command: Command) => {
      const findings = await examine(globalOptions(command), data)
      const output = outputOf(command)
      if (output.format === 'table') await output.write(findings.map((finding) => line(finding)).join(''))
      else await output.rows(findings, [])
      if (findings.some(({ verdict }) => verdict === 'fail')) process.exitCode = EXIT.error
    })
}

async function examine({ url, ...login }: Login & { readonly url: string }, data: string): Promise<readonly Finding[]> {
  const [{ checkBroker }, { checkDataDirectory }, { checkClockAndLag, checkNode, checkOpenFiles }, { checkPorts }] =
    await Promise.all([
      import('../doctor/broker.ts'),
      import('../doctor/disk.ts'),
      import('../doctor/machine.ts'),
      import('../doctor/ports.ts'),
    ])
  const broker = await checkBroker(url, login)
  return [
    ...broker.findings,
    checkNode(),
    ...checkDataDirectory(data),
    checkOpenFiles(),
    ...(await checkClockAndLag()),
    ...(await checkPorts(broker.status)),
  ]
}

function line({ verdict, check, found, advice }: Finding): string {
  const mark = { ok: pc.green('ok  '), warn: pc.yellow('warn'), fail: pc.red('fail') }[verdict]
  return `${mark}  ${check}: ${found}\n${advice === undefined ? '' : `      ${advice}\n`}`
}
