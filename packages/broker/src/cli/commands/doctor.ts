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
    ...(await kafkaFindings(url, login, kafka, broker.status?.listeners ?? {})),
  ]
}

/** One for each listener of the Kafka door, or for the address that was asked about. */
async function kafkaFindings(
  url: string,
  { user, ca }: Login,
  asked: HostPort | undefined,
  listeners: Readonly<Record<string, string>>,
): Promise<readonly Finding[]> {
  const own = Object.entries(listeners).filter(([name]) => name === 'kafka' || name.startsWith('kafka/'))
  const targets =
    asked === undefined ? own.map(([name, address]) => [name, parseAddress(address)] as const) : [['kafka', asked] as const]
  if (targets.length === 0) return []
  const [{ checkKafka }, { speaksTls }] = await Promise.all([
    import('../doctor/kafka.ts'),
    import('../doctor/kafka-connection.ts'),
  ])
  const { hostname } = new URL(url)
  const findings: Finding[] = []
  for (const [listener, { host: bound, port }] of targets) {
    // Where it listens on all addresses, the one that was just used.
    const host = ['0.0.0.0', '::'].includes(bound) ? hostname.replace(/^\[|\]$/g, '') : bound
    const trust = { ca: ca === undefined ? undefined : readFileSync(ca) }
    const tls = (await speaksTls({ host, port })) ? trust : undefined
    findings.push(await checkKafka({ host, port }, { listener, tls, user, password: process.env['MILLRACE_PASSWORD'] }))
  }
  return findings
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
