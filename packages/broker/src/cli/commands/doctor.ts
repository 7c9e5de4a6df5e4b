import { readFileSync } from 'node:fs'
import pc from 'picocolors'
import { type Command, InvalidArgumentError } from 'commander'
import type { HostPort } from '../../server/config/config.ts'
import { parseHostPort } from '../../server/config/host-port.ts'
import { configKeys } from '../../server/config/keys.ts'
import type { Finding } from '../doctor/check.ts'
import { EXIT } from '../failure.ts'
import { globalOptions, outputOf, type Login } from '../session.ts'

interface DoctorOptions {
  readonly data: string
  readonly kafka?: HostPort
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check what a broker needs: connection, disk, ports, limits, clock')
    .option('--data <dir>', 'data directory to check', process.env['MILLRACE_DATA'] ?? String(configKeys.data.default))
    .option('--kafka <address>', 'HOST:PORT that Kafka clients begin with; by default where the broker listens', parseAddress)
    .action(async ({ data, kafka }: DoctorOptions, command: Command) => {
      const findings = await examine(globalOptions(command), data, kafka)
      const output = outputOf(command)
      if (output.format === 'table') await output.write(findings.map((finding) => line(finding)).join(''))
      else await output.rows(findings, [])
      if (findings.some(({ verdict }) => verdict === 'fail')) process.exitCode = EXIT.error
    })
}

async function examine(
  { url, ...login }: Login & { readonly url: string },
  data: string,
  kafka: HostPort | undefined,
): Promise<readonly Finding[]> {
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
    ...(await kafkaFindings(url, login, kafka, broker.status?.listeners['kafka'])),
  ]
}

/** Nothing, where there is no Kafka door to look at. */
async function kafkaFindings(
  url: string,
  { user, ca }: Login,
  asked: HostPort | undefined,
  listener: string | undefined,
): Promise<readonly Finding[]> {
  const bootstrap = asked ?? (listener === undefined ? undefined : parseAddress(listener))
  if (bootstrap === undefined) return []
  const { checkKafka } = await import('../doctor/kafka.ts')
  const { hostname, protocol } = new URL(url)
  // Where it listens on all addresses, the one that was just used.
  const host = ['0.0.0.0', '::'].includes(bootstrap.host) ? hostname.replace(/^\[|\]$/g, '') : bootstrap.host
  const tls = ['millraces:', 'wss:'].includes(protocol) ? { ca: ca === undefined ? undefined : readFileSync(ca) } : undefined
  return [await checkKafka({ ...bootstrap, host }, { tls, user, password: process.env['MILLRACE_PASSWORD'] })]
}

function parseAddress(text: string): HostPort {
  const { host, port } = parseHostPort(text) ?? {}
  if (host === undefined || port === undefined) throw new InvalidArgumentError('Write HOST:PORT; an IPv6 address in brackets.')
  return { host, port }
}

function line({ verdict, check, found, advice }: Finding): string {
  const mark = { ok: pc.green('ok  '), warn: pc.yellow('warn'), fail: pc.red('fail') }[verdict]
  return `${mark}  ${check}: ${found}\n${advice === undefined ? '' : `      ${advice}\n`}`
}
