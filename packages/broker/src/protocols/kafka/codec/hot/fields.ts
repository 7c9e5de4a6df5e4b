// hot path (packages/broker/test/kafka/codec-speed.mjs)
/** Fields of messages, with compact lengths in flexible versions. Readers throw MessageFormatError. */
import { encodeName } from '@millrace/wire'
import { MessageFormatError, type MessageReader } from '../message-reader.ts'
import type { MessageWriter } from '../message-writer.ts'

export function readText(reader: MessageReader, flexible: boolean): string {
  const length = flexible ? reader.lengthCompact() : reader.length16()
  return length < 0 ? nothing() : reader.text(length)
}

/** How many elements follow. */
export function readCount(reader: MessageReader, flexible: boolean): number {
  const count = reader.checkCount(flexible ? reader.uvarint() - 1 : reader.int32())
  return count < 0 ? nothing() : count
}

/** The end of a structure. @returns whether it has tagged fields, which are still to be read */
export function hasTags(reader: MessageReader, flexible: boolean): boolean {
  return flexible && reader.uvarint() !== 0
}

function nothing(): never {
  throw new MessageFormatError('a field may not be null')
}

export function writeText(writer: MessageWriter, text: string | null | undefined, flexible: boolean): void {
  const bytes = text === null || text === undefined ? undefined : encodeName(text)
  const length = bytes === undefined ? -1 : bytes.length
  if (flexible) writer.uvarint(length + 1)
  else writer.int16(length)
  if (bytes !== undefined) writer.raw(bytes)
}

export function writeRecords(writer: MessageWriter, records: Uint8Array | readonly Uint8Array[] | null, flexible: boolean): void {
  let length = records === null ? -1 : 0
  if (records instanceof Uint8Array) ({ length } = records)
  else if (records !== null) for (let n = 0; n < records.length; n++) length += records[n]!.length
  if (flexible) writer.uvarint(length + 1)
  else writer.int32(length)
  if (records instanceof Uint8Array) writer.raw(records)
  else if (records !== null) for (let n = 0; n < records.length; n++) writer.raw(records[n]!)
}

/** @param count -1 for null */
export function writeCount(writer: MessageWriter, count: number, flexible: boolean): void {
  if (flexible) writer.uvarint(count + 1)
  else writer.int32(count)
}

export function writeInt32s(writer: MessageWriter, numbers: readonly number[], flexible: boolean): void {
  writeCount(writer, numbers.length, flexible)
  for (let n = 0; n < numbers.length; n++) writer.int32(numbers[n]!)
}

/** The end of a structure without tagged fields. */
export function writeEnd(writer: MessageWriter, flexible: boolean): void {
  if (flexible) writer.uvarint(0)
}
