import type { ConsumeOptions, Message, Millrace, StartPosition, StoredMessage } from '@millrace/client'
import type { Command } from 'commander'
import { parseAddress } from '../address.ts'
import type { Address } from '../address.ts'
import { CommandError, usageError } from '../failure.ts'
import { formatCount } from '../output/figures.ts'
import { printMessage } from '../output/print-message.ts'
import type { Output } from '../output/output.ts'
import { parseCount, parseDurationMs, parseIndex, parseStartPosition, parseWhole } from '../quantities.ts'
import { noteConnection, outputOf, withBroker } from '../session.ts'

const PREFETCH = 256

interface SubOptions {
  readonly count?: number
  readonly ack: boolean
  readonly raw?: boolean
  readonly from?: StartPosition
  readonly partition?: number
  readonly filter?: string
  readonly prefetch?: number
  readonly priority?: number
  readonly exclusive?: true
  readonly timeout?: number
}

export function addSub(program: Command): void {
  program
    .command('sub')
    .description('Print messages as they arrive; those of a queue or subscription are acked once printed')
    .argument('<source>', 'queue:NAME and topic:NAME/SUBSCRIPTION consume, topic:NAME reads along')
    .option('--count <n>', 'stop after so many messages', parseCount)
    .option('--no-ack', 'give the messages back at the end instead of acking them (shows at most --prefetch messages)')
    .option('--raw', "print the bodies' bytes only, without line ends")
    .option('--from <position>', 'where to begin on a topic, or with a new subscription', parseStartPosition)
    .option('--partition <n>', 'read only this partition of the topic', parseIndex)
    .option('--filter <selector>', 'read only the messages of the topic that match')
    .option('--prefetch <n>', `messages held unacked at once (default: ${PREFETCH}, or --count if less)`, parseCount)
    .option('--priority <n>', 'as a consumer: while there is room, those with a higher one get messages first', parseWhole)
    .option('--exclusive', 'be the only consumer, or none')
    .option('--timeout <duration>', 'stop when no message came for so long; an error if --count was not reached', parseDurationMs)
    .action(async (source: string, options: SubOptions, command: Command) => {
      const address = parseAddress(source)
      checkOptions(address, options)
      const output = outputOf(command)
      const received = await withBroker(command, (client) => new Reception(output, options).run(client, address))
      output.note(`received ${formatCount(received)} ${received === 1 ? 'message' : 'messages'} from ${source}`)
      if (options.count !== undefined && received < options.count && options.timeout !== undefined) {
        throw new CommandError(
          'timeout',
          `Only ${received} of ${options.count} messages came from ${source}; none within the last ${options.timeout} ms. Wait longer with --timeout.`,
        )
      }
    })
}

function checkOptions(address: Address, options: SubOptions): void {
  if (address.kind === 'queue' && options.from !== undefined) {
    throw usageError('A queue is consumed from its front; --from is for topics. `millrace peek` can look anywhere.')
  }
  if (address.kind !== 'topic' && options.partition !== undefined) throw usageError('--partition is for reading a topic.')
  if (address.kind !== 'topic' && options.filter !== undefined) {
    throw usageError('--filter is for reading a topic: a subscription has its own, and a queue gives everything to somebody.')
  }
  if (address.kind === 'topic' && isForConsumers(options)) {
    const those = '--no-ack, --prefetch, --priority and --exclusive'
    throw usageError(`Reading a topic takes nothing away: ${those} are for queues and subscriptions.`)
  }
}

function isForConsumers({ ack, prefetch, priority, exclusive }: SubOptions): boolean {
  return !ack || prefetch !== undefined || priority !== undefined || exclusive === true
}

/** One run of `sub`: ends by count, by silence, by SIGINT or SIGTERM, or by an error. */
class Reception {
  readonly #output: Output
  readonly #options: SubOptions
  readonly #stop = new AbortController()
  readonly #unsettled = new Set<Promise<void>>()
  #ackError: unknown
  #silence: NodeJS.Timeout | undefined

  constructor(output: Output, options: SubOptions) {
    this.#output = output
    this.#options = options
  }

  /** @returns how many messages were printed */
  async run(client: Millrace, address: Address): Promise<number> {
    const stop = (): void => this.#stop.abort()
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    const unlisten = noteConnection(client, this.#output)
    let received = 0
    try {
      this.#restartSilence()
      for await (const message of this.#open(client, address)) {
        await printMessage(this.#output, message, this.#options.raw === true)
        if (this.#options.ack && address.kind !== 'topic') this.#ack(message as Message)
        if (++received === this.#options.count || this.#stop.signal.aborted) break
        this.#restartSilence()
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error
    } finally {
      clearTimeout(this.#silence)
      unlisten()
      process.removeListener('SIGINT', stop)
      process.removeListener('SIGTERM', stop)
    }
    await Promise.all(this.#unsettled)
    if (this.#ackError !== undefined) throw this.#ackError
    return received
  }

  #open(client: Millrace, address: Address): AsyncIterable<StoredMessage | Message> {
    const { from, partition, filter, priority, exclusive } = this.#options
    const signal = this.#stop.signal
    const start = from === undefined ? {} : { from }
    if (address.kind === 'topic') {
      const which = { ...(partition === undefined ? {} : { partition }), ...(filter === undefined ? {} : { filter }) }
      return client.topic(address.name).read({ ...start, ...which, signal })
    }
    const consume: ConsumeOptions = {
      prefetch: this.#prefetch(),
      signal,
      ...(priority === undefined ? {} : { priority }),
      ...(exclusive === undefined ? {} : { exclusive }),
    }
    if (address.kind === 'queue') return client.queue(address.name).messages(consume)
    return client.topic(address.topic).subscription(address.name, start).messages(consume)
  }

  /** Not more than will be printed: what is held here is kept from other consumers. */
  #prefetch(): number {
    const { count, prefetch } = this.#options
    return prefetch ?? Math.min(PREFETCH, count ?? PREFETCH)
  }

  #ack(message: Message): void {
    const settled = message
      .ack()
      .catch((error: unknown) => {
        this.#ackError ??= error
      })
      .finally(() => this.#unsettled.delete(settled))
    this.#unsettled.add(settled)
  }

  #restartSilence(): void {
    const { timeout } = this.#options
    if (timeout === undefined) return
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#stop.abort(), timeout)
  }
}
