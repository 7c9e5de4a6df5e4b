/** Codecs of the messages of an API, made for a version when it is first used. */
import { StructCodec } from './compile.ts'
import type { HotCodec } from './hot/hot-codec.ts'
import { MessageFormatError, type MessageReader } from './message-reader.ts'
import type { MessageWriter } from './message-writer.ts'
import { type ApiDefinition, type Decoded, type Encodable, parseVersions } from './notation.ts'

interface VersionCodec {
  readonly request: StructCodec
  readonly response: StructCodec
}

export class ApiCodec<A extends ApiDefinition = ApiDefinition> {
  readonly key: number
  readonly min: number
  readonly max: number
  readonly #definition: A
  readonly #hot: HotCodec<A>
  /** By version. */
  readonly #codecs: VersionCodec[] = []

  /** @param hot what of it is done by hand */
  constructor(definition: A, hot: HotCodec<A> = {}) {
    this.#definition = definition
    this.#hot = hot
    this.key = definition.key
    const { min, max } = parseVersions(definition.versions)
    this.min = min
    this.max = max
  }

  /** Whether lengths are compact and structures end with tagged fields. */
  isFlexible(version: number): boolean {
    return version >= (this.#definition.flexible ?? Infinity)
  }

  /**
   * Bytes after the message are passed over, as by Kafka: librdkafka 2.16 sends some when it asks for all topics.
   * @throws MessageFormatError
   */
  readRequest(reader: MessageReader, version: number): Decoded<A['request']> {
    const { at } = reader
    const request = this.#hot.readRequest?.(reader, version)
    if (request !== undefined) return request
    reader.at = at
    return this.#of(version).request.read(reader) as Decoded<A['request']>
  }

  writeRequest(writer: MessageWriter, version: number, request: Encodable<A['request']>): void {
    this.#of(version).request.write(writer, request)
  }

  /** @throws MessageFormatError */
  readResponse(reader: MessageReader, version: number): Decoded<A['response']> {
    return finished(reader, this.#of(version).response.read(reader)) as Decoded<A['response']>
  }

  writeResponse(writer: MessageWriter, version: number, response: Encodable<A['response']>): void {
    if (this.#hot.writeResponse?.(writer, version, response) === true) return
    this.#of(version).response.write(writer, response)
  }

  #of(version: number): VersionCodec {
    const known = this.#codecs[version]
    if (known !== undefined) return known
    const { request, response } = this.#definition
    const flexible = this.isFlexible(version)
    const made = { request: new StructCodec(request, version, flexible), response: new StructCodec(response, version, flexible) }
    this.#codecs[version] = made
    return made
  }
}

function finished<T>(reader: MessageReader, message: T): T {
  if (reader.left > 0) throw new MessageFormatError(`${reader.left} bytes follow the message`)
  return message
}
