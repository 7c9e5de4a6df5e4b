import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { BrokerProcess, cleanEnvironment, commandLine } from './broker-process.ts'
import { dueTogether } from './due-together.ts'
import type { Load, LoadResult, RunningSystem, System } from './system.ts'

const run = promisify(execFile)

/** Millrace as it comes: disk engine, fsync. The load is `millrace bench`, in a process of its own. */
export const millrace: System = {
  name: 'millrace',
  start: async (): Promise<RunningSystem> => {
    const broker = await BrokerProcess.start()
    return {
      readyMs: broker.readyMs,
      load: (load) => runLoad(broker.url, load),
      dueTogether: (load) => dueTogether(broker.url, load),
      rssBytes: () => broker.rssBytes(),
      commits: () => broker.metric('millrace_journal_commits_total'),
      stop: async () => {
        await broker.stop()
      },
    }
  },
}

const POLICY_QUEUE = 'bench-policies'
const POLICIES: readonly string[] = '--max-attempts 10 --backoff exponential:100ms..1m --order key --dedup-window 1m'.split(' ')

async function runLoad(url: string, load: Load): Promise<LoadResult> {
  if (load.policies === true) {
    await run(process.execPath, [commandLine, 'queue', 'create', POLICY_QUEUE, '--url', url, ...POLICIES], {
      env: cleanEnvironment(),
    })
  }
  const named = load.queue === undefined ? [] : [`queue:${load.queue}`]
  const address = load.policies === true ? [`queue:${POLICY_QUEUE}`, '--keys', '10000', '--ids'] : named
  const parameters = [
    'bench',
    load.mode,
    ...address,
    '--url',
    url,
    '-o',
    'json',
    '--quiet',
    '--duration',
    `${load.seconds * 1000}ms`,
  ]
  const settings = {
    size: load.sizeBytes,
    batch: load.batchMessages,
    window: load.window,
    destinations: load.destinations,
    rate: load.rate,
    count: load.messages,
    warmup: `${(load.warmupSeconds ?? 1) * 1000}ms`,
  }
  for (const [name, value] of Object.entries(settings)) if (value !== undefined) parameters.push(`--${name}`, String(value))
  const { stdout } = await run(process.execPath, [commandLine, ...parameters], {
    env: cleanEnvironment(),
    maxBuffer: 1024 * 1024,
  })
  return JSON.parse(stdout) as LoadResult
}
