/**
 * A random program of publishes against a queue and a topic with dedup windows, and against a queue that idempotent producers write to, with
 * crashes at any commit. The model says of each record whether it must be stored, from what its clients were told.
 */
import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { ProducerIdentity } from '../../src/core/broker.ts'
import { TestBroker } from './harness.ts'

const encoder = new TextEncoder()
const IDS = 25

/** What a publish with message ids did. */
interface Publish {
  readonly ticket: number
  readonly atMs: number
  readonly partition: number
  /** Undefined: a record without an id. */
  readonly ids: readonly (string | undefined)[]
  /** Of the records that were new. */
  readonly values: readonly string[]
}

interface Known {
  readonly id: string
  readonly atMs: number
  readonly partition: number
  readonly offset: number
}

/** A destination with a window, as it must be. */
class WindowModel {
  readonly address: string
  readonly partitions: number
  readonly windowMs: number
  readonly entriesMax: number
  publishes: Publish[] = []
  known: Known[] = []
  /** By partition. */
  stored: string[][] = []

  constructor(address: string, partitions: number, windowMs: number, entriesMax: number) {
    this.address = address
    this.partitions = partitions
    this.windowMs = windowMs
    this.entriesMax = entriesMax
    this.stored = Array.from({ length: partitions }, () => [])
  }

  /** @returns positions and places of duplicates, and the values that are new */
  apply(ids: Publish['ids'], partition: number, atMs: number, value: (position: number) => string): [string[], string[]] {
    this.known = this.known.filter((each) => each.atMs > atMs - this.windowMs)
    this.known = this.known.slice(Math.max(0, this.known.length - this.entriesMax))
    const duplicates: string[] = []
    const values: string[] = []
    ids.forEach((id, position) => {
      const first = id === undefined ? undefined : this.known.find((each) => each.id === id)
      if (first !== undefined) {
        duplicates.push(`${position}=${first.partition}/${first.offset}`)
        return
      }
      const offset = this.stored[partition]!.length
      const stored = value(position)
      this.stored[partition]!.push(stored)
      values.push(stored)
      if (id !== undefined) this.known.push({ id, atMs, partition, offset })
    })
    return [duplicates, values]
  }

  /** After a crash that left so many records of each partition. */
  rebuild(publishes: readonly Publish[]): void {
    this.publishes = []
    this.known = []
    this.stored = this.stored.map(() => [])
    for (const publish of publishes) {
      let next = 0
      this.apply(publish.ids, publish.partition, publish.atMs, () => publish.values[next++]!)
      this.publishes.push(publish)
    }
  }
}

interface Batch {
  readonly sequence: number
  readonly values: readonly string[]
  ticket: number
  offset: number
}

/** A client with a producer: resends what is not confirmed after a crash, as real ones do, and at other times for no reason. */
interface ProducerClient {
  readonly name: string | undefined
  readonly identity: ProducerIdentity
  readonly batches: Batch[]
  fenced: boolean
}

export class DedupModel {
  readonly test: TestBroker
  readonly log: string[] = []
  readonly #windows: WindowModel[]
  #clients: ProducerClient[] = []
  /** Of the producers' queue. */
  #produced: string[] = []
  #serial = 0
  duplicates = 0
  fencings = 0

  constructor(test: TestBroker, windows: WindowModel[]) {
    this.test = test
    this.#windows = windows
  }

  static async open(seed: number): Promise<DedupModel> {
    const small = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: small ? 2000 : 100_000 },
        storage: small ? { commitBytesMax: 600, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    const windows = [new WindowModel('queue:once', 1, 500, 1000), new WindowModel('topic:once', 2, 1500, 5 + (seed % 10))]
    for (const { address, windowMs, entriesMax, partitions } of windows) {
      const dedup = { windowMs, entriesMax }
      if (address.startsWith('queue:')) test.broker.createQueue({ name: 'once', dedup })
      else test.broker.createTopic({ name: 'once', dedup, partitions })
    }
    test.broker.createQueue({ name: 'produced' })
    await test.settle()
    return new DedupModel(test, windows)
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#crash(false)
    await this.#check()
  }

  async #step(): Promise<void> {
    const { platform } = this.test
    const dice = platform.below(100)
    if (dice < 25) this.#publishIds()
    else if (dice < 30) this.#fill()
    else if (dice < 35) await this.#crashWithin()
    else if (dice < 55) this.#produce()
    else if (dice < 62) this.#resend()
    else if (dice < 66) await this.#openProducer()
    else if (dice < 78) platform.runTurn()
    else if (dice < 86) await this.test.settle()
    else if (dice < 94) await this.test.advance(1 + platform.below(400))
    else if (dice < 96) await this.#check()
    else await this.#crash(dice > 97)
  }

  /** Fills a small commit more or less, so that it closes between or inside of other publishes. */
  #fill(): void {
    this.test.publish('queue:other', 'x'.repeat(this.test.platform.below(600)))
  }

  /** A crash in the turn of a publish leaves what was closed with it, and takes the rest. */
  async #crashWithin(): Promise<void> {
    await this.test.settle()
    this.#fill()
    if (this.test.platform.below(2) === 0) this.#publishIds()
    else this.#produce()
    await this.#crash(false)
  }

  // ---- message ids --------------------------------------------------------------------------------------------------

  #publishIds(): void {
    const { platform, broker } = this.test
    const window = this.#windows[platform.below(this.#windows.length)]!
    const partition = platform.below(window.partitions)
    const ids = Array.from({ length: 1 + platform.below(6) }, () =>
      platform.below(8) === 0 ? undefined : `id-${platform.below(IDS)}`,
    )
    const serial = this.#serial++
    const value = (position: number): string => `${serial}.${position}`
    const batch = encodeBatch(
      ids.map((id, position) => ({
        timestampMs: platform.clock.nowMs(),
        value: encoder.encode(value(position)),
        headers: id === undefined ? [] : [{ key: 'message-id', value: encoder.encode(id) }],
      })),
    )
    const destination = broker.destination(window.address, false)
    const base = destination.publish(partition, batch)
    const found = (destination.duplicates ?? []).map((each) => `${each.position}=${each.partition}/${each.offset}`)
    const end = window.stored[partition]!.length
    const atMs = platform.clock.nowMs()
    const [expected, values] = window.apply(ids, partition, atMs, value)
    this.#note(`${window.address}/${partition} ${ids.join(' ')} at ${atMs} -> ${base} ${found.join(' ')}`)
    this.#assert(found.join() === expected.join(), `${found.join(' ')} are duplicates, not ${expected.join(' ')}`)
    this.#assert(values.length === 0 || base === end, `base offset ${base} is ${end}`)
    this.duplicates += found.length
    window.publishes.push({ ticket: broker.ticket(), atMs, partition, ids, values })
  }

  // ---- producers ----------------------------------------------------------------------------------------------------

  /** Names are fought for; whoever opened one before goes on for a while. */
  async #openProducer(): Promise<void> {
    const { platform, broker } = this.test
    const name = [undefined, 'a', 'b'][platform.below(3)]
    const identity = broker.openProducer(name)
    await this.test.settle()
    this.#note(`open ${name} -> ${identity.producerId} epoch ${identity.epoch}`)
    for (const client of this.#clients) {
      if (name === undefined || client.name !== name) continue
      this.#assert(client.identity.producerId === identity.producerId, `${name} keeps its id`)
      this.#assert(client.identity.epoch < identity.epoch, `the epochs of ${name} rise`)
      client.fenced = true
    }
    this.#clients.push({ name, identity, batches: [], fenced: false })
    if (this.#clients.length > 6) this.#clients.shift()
  }

  #produce(): void {
    const client = this.#pick()
    if (client === undefined) return
    const last = client.batches.at(-1)
    const sequence = last === undefined ? 0 : last.sequence + last.values.length
    const serial = this.#serial++
    const values = Array.from({ length: 1 + this.test.platform.below(4) }, (_, n) => `${serial}.${n}`)
    const batch: Batch = { sequence, values, ticket: Infinity, offset: -1 }
    if (last !== undefined && !client.fenced && this.test.platform.below(10) === 0) this.#leaveGap(client, batch)
    this.#send(client, batch)
    if (!client.fenced) client.batches.push(batch)
  }

  #resend(): void {
    const client = this.#pick()
    const batch = client?.batches[this.test.platform.below(client.batches.length || 1)]
    if (client !== undefined && batch !== undefined) this.#send(client, batch)
  }

  /** What follows too late is refused, and changes nothing. */
  #leaveGap(client: ProducerClient, batch: Batch): void {
    let code: string | undefined
    try {
      this.#send(client, { ...batch, sequence: batch.sequence + 1 })
    } catch (error) {
      code = (error as MillraceError).code
    }
    this.#assert(code === 'out_of_order_sequence', 'a gap is refused')
  }

  #send(client: ProducerClient, batch: Batch): void {
    const { broker, platform } = this.test
    const bytes = encodeBatch(
      batch.values.map((value) => ({ timestampMs: platform.clock.nowMs(), value: encoder.encode(value) })),
    )
    setBatchProducer(bytes, client.identity.producerId, client.identity.epoch, batch.sequence)
    const destination = broker.destination('queue:produced', false)
    let base: number
    try {
      base = destination.publish(0, bytes)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'fenced') throw error
      this.#assert(client.fenced, `only those whose name was opened again are fenced: ${error.message}`)
      this.fencings++
      return
    }
    this.#assert(!client.fenced, 'a producer that was fenced stores nothing')
    const { duplicates } = destination
    this.#note(
      `produce ${client.identity.producerId} ${batch.sequence}+${batch.values.length} -> ${base} ${duplicates?.length ?? ''}`,
    )
    if (batch.offset >= 0) {
      this.#assert(duplicates?.length === batch.values.length, `${batch.values[0]} is stored already`)
      this.#assert(
        duplicates[0]!.offset === batch.offset || duplicates[0]!.offset === -1,
        `${batch.values[0]} is at ${batch.offset}`,
      )
      this.duplicates += duplicates.length
      return
    }
    this.#assert(duplicates === undefined && base === this.#produced.length, `${batch.values[0]} is new`)
    this.#produced.push(...batch.values)
    batch.offset = base
    batch.ticket = broker.ticket()
  }

  #pick(): ProducerClient | undefined {
    return this.#clients[this.test.platform.below(Math.max(1, this.#clients.length))]
  }

  // ---- crashes and checks -------------------------------------------------------------------------------------------

  async #crash(orderly: boolean): Promise<void> {
    const committed = orderly ? Infinity : this.test.broker.committedTicket
    this.#note(orderly ? 'restart' : `crash at ${committed}`)
    if (orderly) await this.test.restart()
    else await this.test.crash()
    for (const window of this.#windows) {
      const ends = Array.from({ length: window.partitions }, (_, partition) => this.#end(window.address, partition))
      const kept: Publish[] = []
      const counts = ends.map(() => 0)
      for (const publish of window.publishes) {
        const isKept = counts[publish.partition]! + publish.values.length <= ends[publish.partition]!
        this.#assert(isKept || publish.ticket > committed, `what commit ${publish.ticket} holds is there`)
        if (!isKept) break
        counts[publish.partition] = counts[publish.partition]! + publish.values.length
        kept.push(publish)
      }
      this.#assert(counts.join() === ends.join(), `${window.address} ends at ${ends.join()}, not ${counts.join()}`)
      window.rebuild(kept)
    }
    const end = this.#end('queue:produced', 0)
    this.#produced.length = Math.min(end, this.#produced.length)
    this.#assert(end === this.#produced.length, 'nothing is there that was not published')
    for (const client of this.#clients) {
      for (const batch of client.batches) {
        if (batch.offset < end) continue
        this.#assert(batch.ticket > committed, `batch ${batch.values[0]} of commit ${batch.ticket} is there`)
        batch.offset = -1
      }
      for (const batch of client.batches) if (batch.offset < 0 && !client.fenced) this.#send(client, batch)
    }
    await this.#check()
  }

  #end(address: string, partition: number): number {
    const [kind, name] = address.split(':') as [string, string]
    if (kind === 'topic') return this.test.broker.topic(name).partitionInfo[partition]!.end
    return this.test.broker.queue(name).counters.published
  }

  async #check(): Promise<void> {
    const places = this.#windows.flatMap(({ address, stored }) => stored.map((values, n) => [address, n, values] as const))
    for (const [address, partition, values] of [...places, ['queue:produced', 0, this.#produced] as const]) {
      const reader = this.test.read(address, 'earliest', partition)
      await this.test.settle()
      reader.reader.close()
      this.#assert(
        reader.values.join() === values.join(),
        `${address}/${partition} holds ${reader.values.join()}, not ${values.join()}`,
      )
    }
  }

  #note(what: string): void {
    this.log.push(what)
  }

  #assert(condition: unknown, what: string): asserts condition {
    if (condition !== true) throw new Error(`${what}\n${this.log.slice(-40).join('\n')}`)
  }
}
