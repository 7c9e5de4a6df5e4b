import type { BrokerStatus, Millrace } from '@millrace/client'
import { formatDuration, formatMilliseconds } from '../output/figures.ts'
import { connectTo, type Login, withoutSecrets } from '../session.ts'
import { readVersion } from '../../server/version.ts'
import { fail, ok, warn } from './check.ts'
import type { Finding } from './check.ts'

const ROUND_TRIPS = 50
const ROUND_TRIP_WARN_MS = 20

/** Connects as every other command does. */
export async function checkBroker(
  url: string,
  login: Login,
): Promise<{ readonly findings: readonly Finding[]; readonly status: BrokerStatus | undefined }> {
  let client: Millrace
  try {
    client = await connectTo(url, login)
  } catch (error) {
    return {
      findings: [fail('broker', (error as Error).message, 'Start one with `npm start`, or check --url and MILLRACE_URL.')],
      status: undefined,
    }
  }
  try {
    const status = await client.admin.status()
    const { version, pid, uptimeMs, engine, durability } = status
    const connected = ok(
      'broker',
      `${withoutSecrets(url)}, process ${pid}, up for ${formatDuration(uptimeMs)}, engine ${engine}, durability ${durability}`,
    )
    return { findings: [connected, versionFinding(version), await roundTripFinding(client)], status }
  } finally {
    await client.close()
  }
}

function versionFinding(broker: string): Finding {
  const mine = readVersion()
  if (broker === mine) return ok('version', `broker and command line are both ${mine}`)
  return warn('version', `the broker is ${broker}, this command line is ${mine}`, 'Use the same version of both.')
}

/** A broker whose event loop is busy answers late. */
async function roundTripFinding({ admin }: Millrace): Promise<Finding> {
  const latencies: number[] = []
  for (let n = 0; n < ROUND_TRIPS; n++) {
    const before = performance.now()
    await admin.status()
    latencies.push(performance.now() - before)
  }
  const worst = latencies.toSorted((a, b) => a - b)[Math.floor(ROUND_TRIPS * 0.95)]!
  const found = `answers within ${formatMilliseconds(worst)} (p95)`
  if (worst < ROUND_TRIP_WARN_MS) return ok('round trip', found)
  return warn(
    'round trip',
    found,
    "The broker is busy or far away: look at its event-loop delay in /metrics, and at this machine's cpu line below.",
  )
}
