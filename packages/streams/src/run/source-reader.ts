// hot path (packages/streams/test/throughput.mjs)
import { MillraceError, type StoredMessage } from '@millrace/client'
import { FlowRecord, MessageOrigin } from '../flow-record.ts'
import type { SourceNode } from '../topology/topology.ts'
import type { Settings } from './settings.ts'

/** A message that could not be made a record of. */
export class BadMessage {
  readonly message: StoredMessage
  readonly timestampMs: number
  readonly error: unknown

  constructor(message: StoredMessage, error: unknown) {
    this.message = message
    this.timestampMs = message.timestampMs
    this.error = error
  }
}

export type SourceItem = FlowRecord | BadMessage

const keyDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads one partition of one topic ahead, and decodes. First to where the partition ended when it began (`isBehind`), then for good.
 * What was taken is kept until `commit`, so that `rollback` can give it again.
 */
export class SourceReader {
  readonly source: SourceNode
  readonly #settings: Settings
  readonly #partition: number
  readonly #abort = new AbortController()
  readonly #wake: () => void
  #items: SourceItem[] = []
  /** The first that was not taken. */
  #at = 0
  /** Next offset to take, and the one that is committed. */
  #position: number
  #committed: number
  #isBehind = true
  #error: unknown
  #room: (() => void) | undefined
  /** Where the partition ended when reading began. */
  readonly #endOffset: number
  #hasGaps = false
  readonly #itemsMax: number

  /** @param endOffset of the partition now @param wake called when there is something to take, or to find out */
  constructor(
    settings: Settings,
    source: SourceNode,
    place: { readonly partition: number; readonly position: number; readonly endOffset: number; readonly itemsMax: number },
    wake: () => void,
  ) {
    this.#settings = settings
    this.source = source
    this.#partition = place.partition
    this.#position = this.#committed = place.position
    this.#itemsMax = place.itemsMax
    this.#endOffset = place.endOffset
    this.#wake = wake
    void this.#run()
  }

  /** The next item, without taking it. @throws what made reading impossible */
  peek(): SourceItem | undefined {
    if (this.#at < this.#items.length) return this.#items[this.#at]
    if (this.#error !== undefined) throw this.#error
    return undefined
  }

  /** Takes the one that `peek` gave. */
  take(): void {
    const item = this.#items[this.#at++]!
    this.#position = (item instanceof FlowRecord ? item.origin.offset : item.message.offset) + 1
    this.#skipGap()
  }

  /** The timestamp of the first item that is not committed: minus infinity while it is on its way, infinity when nothing is there. */
  get headMs(): number {
    return this.#items[0]?.timestampMs ?? (this.#isBehind ? -Infinity : Infinity)
  }

  /** Whether there was more in the topic, when reading began, than has come here. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  get position(): number {
    return this.#position
  }

  get committedPosition(): number {
    return this.#committed
  }

  commit(): void {
    this.#items.splice(0, this.#at)
    this.#at = 0
    this.#committed = this.#position
    this.#room?.()
  }

  rollback(): void {
    this.#at = 0
    this.#position = this.#committed
  }

  close(): void {
    this.#abort.abort()
    this.#room?.()
  }

  // ---- reading --------------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    try {
      let next = this.#position
      if (next < this.#endOffset) next = await this.#read(next, true)
      this.#isBehind = false
      this.#skipGap()
      this.#wake()
      while (!this.#abort.signal.aborted) next = await this.#read(Math.max(next, this.#endOffset), false)
    } catch (error) {
      this.#error = error
      this.#wake()
    }
  }

  /** Compaction may have left nothing before the end. */
  #skipGap(): void {
    if (this.#isBehind || this.#at < this.#items.length) return
    this.#position = Math.max(this.#position, this.#endOffset)
    if (this.#at === 0) this.#committed = this.#position
  }

  /** @returns the offset after the last message that came */
  async #read(offset: number, untilEnd: boolean): Promise<number> {
    const { client } = this.#settings
    const { signal } = this.#abort
    const options = { partition: this.#partition, from: { offset }, untilEnd, signal }
    let next = offset
    for await (const message of client.topic(this.source.topic).read(options)) {
      if (message.offset < next) continue
      if (message.offset > next) await this.#checkLoss(next)
      next = message.offset + 1
      const item = this.#item(message)
      this.#items.push(item instanceof Promise ? await item : item)
      if (this.#items.length === this.#at + 1) this.#wake()
      while (this.#items.length >= this.#itemsMax && !signal.aborted) await this.#roomAgain()
      if (signal.aborted) break
    }
    return next
  }

  /** Offsets are left out by compaction, or by retention, which has passed the reader. @throws MillraceError */
  async #checkLoss(next: number): Promise<void> {
    if (this.#hasGaps || this.#settings.onLoss === 'continue') return
    const { cleanup, partitionInfo } = await this.#settings.client.admin.topic(this.source.topic)
    this.#hasGaps = cleanup === 'compact'
    const { start } = partitionInfo[this.#partition]!
    if (!this.#hasGaps && start > next) throw lossOf(this.source.topic, this.#partition, next, start)
  }

  async #roomAgain(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#room = resolve
    })
    this.#room = undefined
  }

  // ---- decoding -------------------------------------------------------------------------------------------------------

  #item(message: StoredMessage): SourceItem | Promise<SourceItem> {
    try {
      const key = message.key
      const keyText = key === null ? undefined : keyDecoder.decode(key)
      const { value } = message
      if (value === null) return this.#record(message, keyText, undefined)
      const { declaration } = this.source
      if (declaration === undefined) return this.#record(message, keyText, this.#settings.serializer.deserialize(value))
      const decoded = declaration.codec.decode(message)
      if (decoded instanceof Promise) return this.#later(message, keyText, decoded)
      return decoded.error === undefined ? this.#record(message, keyText, decoded.body) : new BadMessage(message, decoded.error)
    } catch (error) {
      return new BadMessage(message, error)
    }
  }

  async #later(
    message: StoredMessage,
    key: string | undefined,
    decoding: Promise<{ readonly body?: unknown; readonly error?: MillraceError | undefined }>,
  ): Promise<SourceItem> {
    try {
      const { body, error } = await decoding
      return error === undefined ? this.#record(message, key, body) : new BadMessage(message, error)
    } catch (error) {
      return new BadMessage(message, error)
    }
  }

  #record(message: StoredMessage, key: string | undefined, value: unknown): FlowRecord {
    const origin = new MessageOrigin(this.source.topic, message)
    const record = new FlowRecord(value, key, message.timestampMs, origin)
    const { timestamp } = this.source.options
    if (timestamp === undefined || value === undefined) return record
    const timestampMs = timestamp(value, record)
    if (!Number.isFinite(timestampMs)) throw new TypeError(`\`timestamp\` returned ${String(timestampMs)}`)
    return new FlowRecord(value, key, Math.floor(timestampMs), origin)
  }
}

export function lossOf(topic: string, partition: number, next: number, start: number): MillraceError {
  const what = `topic:${topic} partition ${partition}: the records from offset ${next} to ${start - 1} were deleted by retention before they were read. Keep them longer, or go on without them with \`onLoss: 'continue'\`.`
  return new MillraceError('offset_out_of_range', what)
}
