/**
 * The frames of the native protocol (docs/formats/native-protocol.md), as data. Types of decoded frames are inferred from
 * this table; `frame-codec.ts` reads and writes any of them; the four that carry messages have a faster codec beside
 * it (`hot-frames.ts`).
 */

export const NATIVE_VERSION = 1
export const NATIVE_MAGIC = 0x4d4c5243 // MLRC

/** Field kinds: see `FieldTypes`. */
export const frameSchemas = {
  hello: { opcode: 0x01, from: 'client', fields: { magic: 'u32', version: 'u8', options: 'json' } },
  welcome: { opcode: 0x02, from: 'broker', fields: { version: 'u8', facts: 'json' } },
  ping: { opcode: 0x03, from: 'both', fields: {} },
  pong: { opcode: 0x04, from: 'both', fields: {} },
  goodbye: { opcode: 0x05, from: 'both', fields: { reason: 'json' } },
  challenge: { opcode: 0x06, from: 'broker', fields: { sasl: 'json' } },
  response: { opcode: 0x07, from: 'client', fields: { sasl: 'json' } },

  call: { opcode: 0x10, from: 'client', fields: { call: 'u32', method: 'string', params: 'json' } },
  reply: { opcode: 0x11, from: 'broker', fields: { call: 'u32', result: 'json' } },
  failure: { opcode: 0x12, from: 'broker', fields: { call: 'u32', reason: 'json' } },

  open: { opcode: 0x20, from: 'client', fields: { publisher: 'u32', create: 'u8', destination: 'string' } },
  opened: { opcode: 0x21, from: 'broker', fields: { publisher: 'u32', partitions: 'u32' } },
  publish: { opcode: 0x22, from: 'client', fields: { publisher: 'u32', partition: 'i32', batch: 'rest' } },
  confirm: { opcode: 0x23, from: 'broker', fields: { baseOffsets: 'offsets' } },
  refused: { opcode: 0x24, from: 'broker', fields: { publish: 'u64', position: 'u32', reason: 'json' } },
  openFailed: { opcode: 0x25, from: 'broker', fields: { publisher: 'u32', reason: 'json' } },
  release: { opcode: 0x26, from: 'client', fields: { publisher: 'u32' } },
  duplicates: { opcode: 0x27, from: 'broker', fields: { publish: 'u64', records: 'places' } },
  publishLater: { opcode: 0x28, from: 'client', fields: { publisher: 'u32', partition: 'i32', dueMs: 'offset', batch: 'rest' } },
  placed: { opcode: 0x29, from: 'broker', fields: { publish: 'u64', runs: 'places' } },

  consume: { opcode: 0x30, from: 'client', fields: { consumer: 'u32', options: 'json' } },
  consuming: { opcode: 0x31, from: 'broker', fields: { consumer: 'u32' } },
  grant: { opcode: 0x32, from: 'client', fields: { consumer: 'u32', messages: 'u32' } },
  deliver: {
    opcode: 0x33,
    from: 'broker',
    fields: {
      consumer: 'u32',
      partition: 'u32',
      baseOffset: 'offset',
      firstDelta: 'u32',
      lastDelta: 'u32',
      attempt: 'u32',
      batch: 'rest',
    },
  },
  settle: { opcode: 0x34, from: 'client', fields: { consumer: 'u32', outcome: 'u8', ranges: 'ranges', options: 'restJson' } },
  settled: { opcode: 0x35, from: 'broker', fields: { count: 'u32' } },
  settleFailed: { opcode: 0x36, from: 'broker', fields: { settle: 'u64', reason: 'json' } },
  leave: { opcode: 0x37, from: 'client', fields: { consumer: 'u32' } },
  ended: { opcode: 0x38, from: 'broker', fields: { consumer: 'u32', reason: 'json' } },
  caughtUp: { opcode: 0x39, from: 'broker', fields: { consumer: 'u32' } },
  revoke: { opcode: 0x3a, from: 'client', fields: { consumer: 'u32' } },
  revoked: { opcode: 0x3b, from: 'broker', fields: { consumer: 'u32' } },
  passed: { opcode: 0x3c, from: 'broker', fields: { consumer: 'u32', next: 'offset' } },

  transact: { opcode: 0x40, from: 'client', fields: { transaction: 'u32', request: 'json', batches: 'rest' } },
  transacted: { opcode: 0x41, from: 'broker', fields: { transaction: 'u32', result: 'json' } },
  transactFailed: { opcode: 0x42, from: 'broker', fields: { transaction: 'u32', reason: 'json' } },
} as const

export type FrameName = keyof typeof frameSchemas

export interface FieldTypes {
  u8: number
  u32: number
  i32: number
  /** Up to 2^53 - 1; more is a protocol error. */
  u64: number
  /** f64 on the wire: an integer from 0 to 2^53 - 1. */
  offset: number
  string: string
  /** A JSON object, never another JSON value. Its properties are not checked. */
  json: JsonObject
  /** Count u32, then f64 each; NaN stands for "none". */
  offsets: readonly number[]
  /** Count u16, then `SettleRange` each. */
  ranges: readonly SettleRange[]
  /** Count u32, then `RecordPlace` each, in order of their positions. */
  places: readonly RecordPlace[]
  /** The bytes up to the end of the frame. A view. */
  rest: Uint8Array
  /** A JSON object, or undefined when the frame ends here. */
  restJson: JsonObject | undefined
}

export type JsonObject = Readonly<Record<string, unknown>>

/** Offsets `first..last` (inclusive). `attempt` 0 stands for any. */
export interface SettleRange {
  readonly partition: number
  readonly first: number
  readonly last: number
  readonly attempt: number
}

/** Where a record of a publish is, or the first of a run of them: `offset` -1 when it is not known any more. */
export interface RecordPlace {
  readonly position: number
  readonly partition: number
  readonly offset: number
}

type Fields<N extends FrameName> = (typeof frameSchemas)[N]['fields']

export type FrameBody<N extends FrameName> = {
  readonly [F in keyof Fields<N>]: Fields<N>[F] extends keyof FieldTypes ? FieldTypes[Fields<N>[F]] : never
}

/** A decoded frame: `name` tells which. */
export type Frame = { readonly [N in FrameName]: { readonly name: N } & FrameBody<N> }[FrameName]

/** What `settle` does with its ranges. */
export const SettleOutcome = { ack: 0, nack: 1, reject: 2, extend: 3 } as const

/** `goodbye`, `failure`, `refused`, `openFailed`, `ended`, `transactFailed`: why. */
export interface Reason {
  readonly code: string
  readonly message: string
}

/** The peer sent bytes that are not the protocol. The connection cannot go on. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: 'bad_request' | 'record_too_large' | 'unsupported'

  constructor(message: string, code: 'bad_request' | 'record_too_large' | 'unsupported' = 'bad_request') {
    super(message)
    this.code = code
  }
}

/** Reads a `json` field that carries a reason, whatever a faulty peer put there. */
export function reasonOf(json: JsonObject): Reason {
  const { code, message } = json
  return {
    code: typeof code === 'string' ? code : 'bad_request',
    message: typeof message === 'string' ? message : 'no reason given',
  }
}
