// hot path (packages/broker/test/kafka/throughput.mjs)
import type { Lease } from '../../base/lease.ts'
import type { Connection } from '../session.ts'
import { MessageWriter } from './codec/message-writer.ts'
import type { ServedApi } from './served-api.ts'

const FETCH = 1
const SHARE_FETCH = 78
const API_VERSIONS = 18
/** So many sent ones stay in the list before they are cut off. */
const SENT_MAX = 256

/** A response that goes out as it is, with nothing but its length in front. */
export class BareReply {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** A request whose response was not sent yet. */
export interface PendingReply {
  readonly api: ServedApi
  readonly version: number
  readonly correlationId: number
  /** Undefined until it is known. */
  response: object | undefined
  /** What must be committed first. */
  ticket: number
  /** Of what is in the response. */
  lease: Lease | undefined
}

/** Responses in the order of their requests. */
export class Replies {
  /** How many of them are fetches. */
  fetches = 0
  readonly #pending: PendingReply[] = []
  #head = 0

  get length(): number {
    return this.#pending.length - this.#head
  }

  add(api: ServedApi, version: number, correlationId: number): PendingReply {
    const reply = { api, version, correlationId, response: undefined, ticket: 0, lease: undefined }
    this.#pending.push(reply)
    if (isFetch(reply)) this.fetches++
    return reply
  }

  /** Sends the next response, if that may be. */
  sendNext(committed: number, connection: Connection): boolean {
    const reply = this.#pending[this.#head]
    if (reply?.response === undefined || reply.ticket > committed) return false
    this.#head++
    if (isFetch(reply)) this.fetches--
    if (this.#head === this.#pending.length) this.clear()
    else if (this.#head === SENT_MAX) {
      this.#pending.splice(0, SENT_MAX)
      this.#head = 0
    }
    const { lease } = reply
    connection.write(encode(reply, reply.response), lease && (() => lease.release()))
    return true
  }

  /** The commit that the next response waits for, if nothing else is missing. */
  get nextTicket(): number | undefined {
    const reply = this.#pending[this.#head]
    return reply?.response === undefined ? undefined : reply.ticket
  }

  /** None of them is sent. */
  clear(): void {
    for (let n = this.#head; n < this.#pending.length; n++) this.#pending[n]!.lease?.release()
    this.fetches = 0
    this.#pending.length = 0
    this.#head = 0
  }
}

function isFetch({ api }: PendingReply): boolean {
  return api.codec.key === FETCH || api.codec.key === SHARE_FETCH
}

function encode({ api, version, correlationId }: PendingReply, response: object): readonly Uint8Array[] {
  const { codec } = api
  const writer = new MessageWriter()
  if (response instanceof BareReply) {
    writer.int32(response.bytes.length)
    writer.raw(response.bytes)
    return writer.take()
  }
  writer.int32(0)
  writer.int32(correlationId)
  // Whoever asks for versions may not know that headers have tagged fields.
  if (codec.isFlexible(version) && codec.key !== API_VERSIONS) writer.uvarint(0)
  codec.writeResponse(writer, version, response)
  const { length } = writer
  const chunks = writer.take()
  const first = chunks[0]!
  new DataView(first.buffer, first.byteOffset).setInt32(0, length - 4)
  return chunks
}
