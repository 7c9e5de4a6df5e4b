import type { ConsumeOptions, Message, Millrace, Subscription, Transaction } from '@millrace/client'
import type { Command } from 'commander'
import { type Address, parseAddress } from './address.ts'
import { CommandError, usageError } from './failure.ts'
import { untilInterrupted } from './interruption.ts'
import { formatCount } from './output/figures.ts'
import type { Output } from './output/output.ts'
import { parseCount, parseDurationMs } from './quantities.ts'
import { noteConnection, outputOf, withBroker } from './session.ts'

/** Options of commands that do something for each message. */
export interface HandlingFlags {
  readonly count?: number
  readonly timeout?: number
  readonly concurrency: number
  readonly lease?: number
}

/** May take its time, and then says what happens to the message and because of it, as one. */
type Work = (message: Message) => Promise<Finish>

type Finish = (transaction: Transaction) => void

/** What happens to a message instead, when the broker refused that. Undefined: it is given back. */
type Otherwise = (message: Message, error: unknown) => Finish | undefined

type Consumed = Exclude<Address, { kind: 'topic' }>

export function addHandlingOptions(command: Command): Command {
  return command
    .option('--count <n>', 'stop after so many messages; an error if one of them failed', parseCount)
    .option('--timeout <duration>', 'stop when no message came for so long; an error if --count was not reached', parseDurationMs)
    .option('--concurrency <n>', 'messages that are worked on at a time', parseCount, 1)
    .option('--lease <duration>', 'a message that takes longer goes to another consumer', parseDurationMs)
}

/** @throws CommandError for what cannot be consumed from */
export function parseSource(text: string): Consumed {
  const address = parseAddress(text)
  if (address.kind !== 'topic') return address
  throw usageError(`'${text}' is a topic, from which nothing is taken. Name a subscription: topic:${address.name}/NAME.`)
}

/**
 * Does `work` for each message of `source`; one for which it fails is given back. Ends by count, by silence, or by SIGINT or SIGTERM, after
 * what was begun.
 * @param did `answered`
 */
export async function handleMessages(
  command: Command,
  source: string,
  flags: HandlingFlags,
  did: string,
  work: Work,
  otherwise: Otherwise = () => undefined,
): Promise<void> {
  const address = parseSource(source)
  const output = outputOf(command)
  const handling = new Handling(output, flags, work, otherwise)
  await withBroker(command, (client) => untilInterrupted((signal) => handling.run(client, address, signal)))
  const { done, failed } = handling
  output.note(`${did} ${formatCount(done)} ${done === 1 ? 'message' : 'messages'} of ${source}`)
  if (flags.count === undefined) return
  if (failed > 0) throw new CommandError(undefined, `${failed} of ${done + failed} messages failed, and were given back.`)
  if (done < flags.count && flags.timeout !== undefined) {
    const what = `Only ${done} of ${flags.count} messages came from ${source}; none within the last ${flags.timeout} ms.`
    throw new CommandError('timeout', `${what} Wait longer with --timeout.`)
  }
}

class Handling {
  done = 0
  failed = 0
  readonly #output: Output
  readonly #flags: HandlingFlags
  readonly #work: Work
  readonly #otherwise: Otherwise
  readonly #stop = new AbortController()
  #begun = 0
  #silence: NodeJS.Timeout | undefined

  constructor(output: Output, flags: HandlingFlags, work: Work, otherwise: Otherwise) {
    this.#output = output
    this.#flags = flags
    this.#work = work
    this.#otherwise = otherwise
  }

  async run(client: Millrace, address: Consumed, interrupted: AbortSignal): Promise<void> {
    const { concurrency, lease } = this.#flags
    const options: ConsumeOptions = {
      concurrency,
      // What waits here is kept from other consumers.
      prefetch: concurrency,
      signal: AbortSignal.any([interrupted, this.#stop.signal]),
      onError: (error, message) => this.#wentWrong(error, message),
      ...(lease === undefined ? {} : { leaseMs: lease }),
    }
    const unlisten = noteConnection(client, this.#output)
    this.#restartSilence()
    const handler = async (message: Message): Promise<void> => {
      const { count = Infinity } = this.#flags
      this.#begun++
      if (this.#begun > count) return message.defer()
      if (this.#begun === count) this.#stop.abort()
      clearTimeout(this.#silence)
      const finish = await this.#work(message).catch((error: unknown) => {
        if (!interrupted.aborted) throw error
      })
      // The signal that stops this command stops those that it runs, too: no attempt failed by it.
      if (finish === undefined) return message.defer()
      await this.#finish(client, message, finish)
      this.done++
      this.#restartSilence()
    }
    try {
      await sourceOf(client, address).consume(handler, options).done
    } finally {
      clearTimeout(this.#silence)
      unlisten()
    }
  }

  async #finish(client: Millrace, message: Message, finish: Finish): Promise<void> {
    try {
      await client.transaction(finish)
    } catch (error) {
      const instead = this.#otherwise(message, error)
      if (instead === undefined) throw error
      await client.transaction(instead)
    }
  }

  #wentWrong(error: unknown, message: Message): void {
    this.failed++
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`message ${message.offset} was given back: ${why}\n`)
    this.#restartSilence()
  }

  #restartSilence(): void {
    const { timeout } = this.#flags
    if (timeout === undefined || this.#stop.signal.aborted) return
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#stop.abort(), timeout)
  }
}

function sourceOf(client: Millrace, address: Consumed): Subscription {
  if (address.kind === 'queue') return client.queue(address.name)
  return client.topic(address.topic).subscription(address.name)
}
