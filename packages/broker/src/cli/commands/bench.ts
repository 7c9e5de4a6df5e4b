import { Argument } from 'commander'
import type { Command } from 'commander'
import { benchModes } from '../bench/settings.ts'
import type { BenchMode } from '../bench/settings.ts'
import { parseCount, parseDurationMs, parseSize } from '../quantities.ts'

interface BenchOptions {
  readonly size: number
  readonly batch?: number
  readonly window: number
  readonly destinations: number
  readonly count?: number
  readonly duration?: number
  readonly warmup: number
  readonly rate?: number
  readonly prefetch: number
  readonly keys?: number
  readonly ids?: boolean
}

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('Measure a running broker: publish (pub), consume (sub), or both at once (e2e)')
    .addArgument(new Argument('<mode>', 'what to measure').choices(benchModes))
    .argument('[address]', 'queue:NAME, topic:NAME or topic:NAME/SUBSCRIPTION (default: a queue that is deleted afterwards)')
    .option('--size <size>', 'bytes per message', parseSize, 100)
    .option('--batch <n>', 'messages per batch (default: the client gathers up to 64 KiB)', parseCount)
    .option('--window <n>', 'messages that may be unconfirmed at once; 1 waits for each', parseCount, 16_384)
    .option('--destinations <n>', 'spread the batches over so many destinations, ADDRESS-0 and up', parseCount, 1)
    .option('--count <n>', 'stop after so many messages', parseCount)
    .option('--duration <duration>', 'stop after so long (default: 10s without --count)', parseDurationMs)
    .option('--warmup <duration>', 'run the same load so long before, unmeasured', parseDurationMs, 0)
    .option('--rate <n>', 'messages per second; latency is then corrected for coordinated omission', parseCount)
    .option('--prefetch <n>', 'messages that the consumer may hold unacked', parseCount, 8_192)
    .option('--keys <n>', 'give messages so many different keys in turn', parseCount)
    .option('--ids', 'give each message an id of its own, for destinations with dedup')
    .action(async (mode: BenchMode, address: string | undefined, options: BenchOptions, command: Command) => {
      const { runBench } = await import('../bench/run-bench.ts')
      const temporary = address === undefined
      await runBench(command, temporary, {
        mode,
        address: address ?? `queue:bench-${process.pid}`,
        destinations: options.destinations,
        sizeBytes: options.size,
        batchMessages: options.batch,
        window: options.window,
        count: options.count ?? Infinity,
        warmupMs: options.warmup,
        durationMs: options.duration ?? (options.count === undefined ? 10_000 : Infinity),
        rate: options.rate,
        prefetch: options.prefetch,
        keys: options.keys,
        ids: options.ids === true,
      })
    })
}
