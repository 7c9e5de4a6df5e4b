import type { MessageReader } from '../message-reader.ts'
import type { MessageWriter } from '../message-writer.ts'
import type { ApiDefinition, Decoded, Encodable } from '../notation.ts'

/** Reads and writes by hand what is asked most often, in all versions. The compiled codec says what is right, and does what is rare: tagged fields. */
export interface HotCodec<A extends ApiDefinition> {
  /** @returns undefined for the compiled codec to begin anew @throws MessageFormatError */
  readRequest?(reader: MessageReader, version: number): Decoded<A['request']> | undefined
  /** @returns false, and nothing is written, for the compiled codec */
  writeResponse?(writer: MessageWriter, version: number, response: Encodable<A['response']>): boolean
}
