import type { Message, Millrace, Subscription } from '@millrace/client'
import { parseAddress } from '../address.ts'
import { CommandError } from '../failure.ts'
import type { Meter } from './meter.ts'
import { sharedMs, STAMP_BYTES } from './publish-load.ts'
import type { BenchSettings } from './settings.ts'

/**
 * Consumes and acks until `wanted()` messages were handled, or the time is up.
 * @param wanted may change while it runs: an end-to-end run knows it when its publisher has finished
 * @param stamped whether messages carry the time at which they were meant to be sent
 */
export async function consumeLoad(
  client: Millrace,
  settings: BenchSettings,
  meter: Meter,
  wanted: () => number,
  stamped: boolean,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown
  let lastMs = performance.now()
  let lastMessages = 0
  const handle = ({ value }: Message): void => {
    const latencyMs =
      stamped && value !== null && value.length >= STAMP_BYTES ? sharedMs(performance.now()) - readStamp(value) : 0
    meter.add(latencyMs, 1)
  }
  const consumption = sourceOf(client, settings.address).consume(handle, {
    prefetch: settings.prefetch,
    onError: (error) => {
      failure ??= error
    },
  })
  consumption.done.catch((error: unknown) => {
    failure ??= error
  })
  while (meter.messages < wanted() && failure === undefined && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    const now = performance.now()
    if (meter.messages !== lastMessages) {
      lastMessages = meter.messages
      lastMs = now
    } else if (now - lastMs > SILENCE_MAX_MS) {
      failure = new CommandError(
        'timeout',
        `No message came from ${settings.address} within ${SILENCE_MAX_MS} ms. Publish to it first.`,
      )
    }
  }
  await consumption.stop()
  meter.stopped()
  if (failure !== undefined) throw failure
}

const SILENCE_MAX_MS = 10_000

function sourceOf(client: Millrace, text: string): Subscription {
  const address = parseAddress(text)
  if (address.kind === 'queue') return client.queue(address.name)
  if (address.kind === 'subscription') return client.topic(address.topic).subscription(address.name, { from: 'earliest' })
  return client.topic(address.name).subscription('bench', { from: 'earliest' })
}

const stamp = new DataView(new ArrayBuffer(STAMP_BYTES))

function readStamp(value: Uint8Array): number {
  for (let n = 0; n < STAMP_BYTES; n++) stamp.setUint8(n, value[n]!)
  return stamp.getFloat64(0)
}
