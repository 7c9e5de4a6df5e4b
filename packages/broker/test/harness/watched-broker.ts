import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess } from '../../../../bench/src/broker-process.ts'
import { commandsFor } from './run-command.ts'

export const MIB = 1024 * 1024
const HEAP_MIB = 96
/** Heap, plus the bounded buffers: 64 MiB pending, 64 MiB tail cache, and what Node itself takes. */
export const RSS_MAX = 320 * MIB
export const FLOOD_BYTES = 768 * MIB

/** What floods: it writes, waits for its socket, and may be cut off. */
interface Flooding {
  readonly closed: boolean
  write(bytes: Uint8Array): Promise<void>
}

/** A broker with a small heap, in a process of its own, whose memory is looked at all the time. */
export class WatchedBroker {
  worstRss = 0
  readonly process: BrokerProcess
  readonly #watch: NodeJS.Timeout

  private constructor(process: BrokerProcess) {
    this.process = process
    this.#watch = setInterval(() => (this.worstRss = Math.max(this.worstRss, process.rssBytes())), 20)
  }

  /** @param options of `millrace start` */
  static async start(options: readonly string[] = []): Promise<WatchedBroker> {
    return new WatchedBroker(await BrokerProcess.start({ node: [`--max-old-space-size=${HEAP_MIB}`], arguments: options }))
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch)
    await this.process.stop()
  }

  /** Publishes a message and takes it again. @returns whether that works */
  async stillWorks(): Promise<boolean> {
    const run = commandsFor(this.process.url)
    const published = await run(['pub', 'queue:canary', 'alive'])
    const taken = await run(['sub', 'queue:canary', '--count', '1', '-q'])
    return published.code === 0 && taken.stdout === 'alive\n'
  }

  report(what: string, sent: number): void {
    const figures = `${Math.round(sent / MIB)} MiB sent, at most ${Math.round(this.worstRss / MIB)} MiB resident`
    process.stderr.write(`bounded memory, ${what}: ${figures}\n`)
  }
}

/** Sends so much, or as much as the broker takes in that time: it may well stop reading from a peer that does not read. @returns bytes */
export async function flood(peer: Flooding, piece: Uint8Array, bytesMax: number, ms: number): Promise<number> {
  let sent = 0
  const stop = new AbortController()
  const write = async (): Promise<void> => {
    for (; sent < bytesMax && !peer.closed && !stop.signal.aborted; sent += piece.length) await peer.write(piece)
  }
  await Promise.race([write(), sleep(ms)])
  stop.abort()
  return sent
}
