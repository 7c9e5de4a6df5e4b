import type { MessageReader } from './codec/message-reader.ts'

/** What every request begins with. */
export interface RequestHeader {
  readonly key: number
  readonly version: number
  readonly correlationId: number
}

/** The part that is the same in all versions. @throws MessageFormatError */
export function readRequestHeader(reader: MessageReader): RequestHeader {
  return { key: reader.int16(), version: reader.int16(), correlationId: reader.int32() }
}

/** The client's name, which never has a compact length, and tagged fields. @throws MessageFormatError */
export function readClientId(reader: MessageReader, flexible: boolean): string | null {
  const length = reader.length16()
  const clientId = length < 0 ? null : reader.text(length)
  if (flexible) {
    for (let left = reader.uvarint(); left > 0; left--) {
      reader.uvarint()
      reader.skip(reader.uvarint())
    }
  }
  return clientId
}
