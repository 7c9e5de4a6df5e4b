import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Backoff, Millrace, Publisher, PublishOptions, Receipt } from '@millrace/client'
import type { Command } from 'commander'
import { parsePublishTarget } from '../address.ts'
import { errorCodeOf, usageError } from '../failure.ts'
import { formatCount } from '../output/figures.ts'
import { collectHeader, parseBackoff, parseCount, parseDurationMs, parsePriority, parseTime } from '../quantities.ts'
import { readBody } from '../read-body.ts'
import { outputOf, withBroker } from '../session.ts'
import { BACKOFF_TEXT } from './delivery-options.ts'

interface PubOptions {
  readonly lines?: boolean
  readonly file?: string
  readonly key?: string
  readonly header?: Readonly<Record<string, string>>
  readonly ttl?: number
  readonly priority?: number
  readonly maxAttempts?: number
  readonly backoff?: Backoff
  readonly delay?: number
  readonly at?: number
  readonly count: number
  readonly to?: readonly string[]
  readonly create: boolean
}

export function addPub(program: Command): void {
  program
    .command('pub')
    .description('Publish messages, and wait until the broker has them safely')
    .argument('<destination>', 'queue:NAME, topic:NAME or exchange:NAME[/KEY]')
    .argument('[body]', "the message's body; - reads it from standard input, and so does nothing at all when input is piped")
    .option('--lines', 'publish each line of the input as one message')
    .option('--file <file>', 'read the body (or the lines) from a file')
    .option('--key <key>', 'key of the message: decides the partition of a topic, and where an exchange sends it')
    .option('-H, --header <name=value>', 'add a header; may be repeated', collectHeader)
    .option('--ttl <duration>', 'do not deliver it any more after so long: 90s, 10m, 2d', parseDurationMs)
    .option('--priority <n>', '0 to 255: queues with priorities deliver higher ones first', parsePriority)
    .option('--max-attempts <n>', 'deliveries before it is dead-lettered, whatever the queue says', parseCount)
    .option('--backoff <backoff>', `${BACKOFF_TEXT}, whatever the queue says`, parseBackoff)
    .option('--delay <duration>', 'publish it only after so long: 500ms, 5m, 2d', parseDurationMs)
    .option('--at <time>', 'publish it only at this time: 2026-01-31T12:00:00Z', parseTime)
    .option('--to <destination>', 'also to this one, all or none; may be repeated', collectDestination)
    .option('--count <n>', 'publish the message so many times', parseCount, 1)
    .option('--no-create', 'fail with exit code 3 if the queue or topic does not exist, instead of creating it')
    .action(async (destination: string, body: string | undefined, options: PubOptions, command: Command) => {
      parsePublishTarget(destination)
      if (options.file !== undefined && body !== undefined) throw usageError('Give either a body or --file, not both.')
      if (options.delay !== undefined && options.at !== undefined) throw usageError('Give either --delay or --at, not both.')
      if (options.lines === true && options.count > 1) throw usageError('--lines and --count do not go together.')
      if (options.to !== undefined) {
        checkMulticast(options)
        await publishToAll(command, [destination, ...options.to], await readBody(body, options.file), options)
      } else if (options.lines === true) await publishLines(command, destination, body, options)
      else await publishOne(command, destination, await readBody(body, options.file), options)
    })
}

async function publishOne(command: Command, destination: string, body: string | Uint8Array, options: PubOptions): Promise<void> {
  if (options.count > 1) {
    await publishMany(command, destination, options, async (send) => {
      for (let n = 0; n < options.count; n++) await send(body)
    })
    return
  }
  const receipt = await withBroker(command, (client) => publishTo(client, destination, body, options))
  await report(
    command,
    { destination, ...receipt },
    receipt.scheduled === undefined
      ? `${receipt.duplicate === true ? 'was published before' : 'published'} to ${placeText(destination, receipt)}`
      : `scheduled for ${destination} as ${receipt.scheduled}`,
  )
}

async function publishToAll(
  command: Command,
  destinations: readonly string[],
  body: string | Uint8Array,
  options: PubOptions,
): Promise<void> {
  const receipts = await withBroker(command, (client) =>
    client.multicast(destinations, body, { ...publishOptions(options), create: options.create }),
  )
  const where = destinations.map((destination, n) => ({ destination, ...receipts[n]! }))
  const note = where.map(({ destination, ...receipt }) => placeText(destination, receipt))
  await report(command, { receipts: where }, `published to ${note.join('; ')}`)
}

/** Where an exchange sent it is not told. */
function placeText(destination: string, { partition, offset }: Receipt): string {
  return offset < 0 ? destination : `${destination}, partition ${partition}, offset ${offset}`
}

function checkMulticast({ lines, count, delay, at }: PubOptions): void {
  if (lines !== true && count === 1 && delay === undefined && at === undefined) return
  throw usageError('--to goes with one message that is published now: leave --lines, --count, --delay and --at out.')
}

function collectDestination(destination: string, before: readonly string[] = []): readonly string[] {
  parsePublishTarget(destination)
  return [...before, destination]
}

async function publishLines(command: Command, destination: string, body: string | undefined, options: PubOptions): Promise<void> {
  if (body !== undefined && body !== '-') throw usageError('--lines reads standard input or --file; leave the body out.')
  const input = options.file === undefined ? process.stdin : createReadStream(options.file)
  await publishMany(command, destination, options, async (send) => {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) await send(line)
  })
}

/** Many messages go through a publisher, which batches them; only their number is reported. */
async function publishMany(
  command: Command,
  destination: string,
  options: PubOptions,
  produce: (send: (body: string | Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  let messages = 0
  await withBroker(command, async (client) => {
    const publisher: Publisher = client.publisher(destination, { create: options.create })
    const settings = publishOptions(options)
    await produce(async (body) => {
      messages++
      if (!sendStated(publisher, body, settings, messages === 1)) await publisher.ready()
    })
    await publisher.close()
  })
  await report(command, { destination, messages }, `published ${formatCount(messages)} messages to ${destination}`)
}

/** A time is stated once, for all of them: it may pass on the way. */
function sendStated(publisher: Publisher, body: string | Uint8Array, options: PublishOptions, isFirst: boolean): boolean {
  try {
    return publisher.send(body, options)
  } catch (error) {
    if (isFirst || errorCodeOf(error) !== 'time_in_past') throw error
    const { deliverAt: _, ...now } = options
    return publisher.send(body, now)
  }
}

function publishTo(client: Millrace, destination: string, body: string | Uint8Array, options: PubOptions): Promise<Receipt> {
  return client.publisher(destination, { create: options.create }).publish(body, publishOptions(options))
}

function publishOptions({
  key,
  header,
  ttl,
  priority,
  maxAttempts,
  backoff,
  delay,
  at,
}: PubOptions): Omit<PublishOptions, 'signal'> {
  const retry = { ...(maxAttempts === undefined ? {} : { maxAttempts }), ...(backoff === undefined ? {} : { backoff }) }
  return {
    ...(key === undefined ? {} : { key }),
    ...(header === undefined ? {} : { headers: header }),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(priority === undefined ? {} : { priority }),
    ...(maxAttempts === undefined && backoff === undefined ? {} : { retry }),
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(at === undefined ? {} : { deliverAt: at }),
  }
}

/** The receipt is a note for people; a program asks for it with -o json. */
async function report(command: Command, receipt: Readonly<Record<string, unknown>>, note: string): Promise<void> {
  const output = outputOf(command)
  if (output.format === 'table') output.note(note)
  else await output.object(receipt, [])
}
