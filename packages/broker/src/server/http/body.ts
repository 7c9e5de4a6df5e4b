import type { IncomingMessage } from 'node:http'
import { MillraceError } from '../../base/errors.ts'
import { HttpError } from './problem.ts'

export interface BodyLimits {
  readonly httpBodyBytesMax: number
  readonly httpBodiesBytesMax: number
}

/** Reads the bodies of requests, each of them and all together within limits. */
export class BodyReader {
  readonly #limits: BodyLimits
  /** Bytes of bodies that are being read. */
  #bytes = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** @throws MillraceError `record_too_large` (413), `overloaded`, `closed` when the client left in the middle */
  async read(request: IncomingMessage): Promise<Buffer> {
    const { httpBodyBytesMax, httpBodiesBytesMax } = this.#limits
    if (Number(request.headers['content-length'] ?? 0) > httpBodyBytesMax) throw tooLarge(httpBodyBytesMax)
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length
        this.#bytes += chunk.length
        if (bytes > httpBodyBytesMax) throw tooLarge(httpBodyBytesMax)
        if (this.#bytes > httpBodiesBytesMax) throw tooMany(httpBodiesBytesMax)
        chunks.push(chunk)
      }
    } catch (error) {
      if (error instanceof MillraceError) throw error
      throw new MillraceError('closed', 'The connection ended before the whole body had arrived.', { cause: error })
    } finally {
      this.#bytes -= bytes
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)
  }

  /** A JSON document, or `undefined` for an empty body. @throws MillraceError `bad_request`, and what `read` throws */
  async readJson(request: IncomingMessage): Promise<unknown> {
    return parseJson(await this.read(request), 'The body')
  }
}

/** @throws MillraceError `bad_request` */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length === 0) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new MillraceError('bad_request', `${what} is not valid JSON: ${(error as Error).message}`, { cause: error })
  }
}

// What is left of the body is not worth reading: the connection ends with these answers.
const lastAnswer = { connection: 'close' }

function tooLarge(bytesMax: number): HttpError {
  return new HttpError(
    'record_too_large',
    413,
    `The body is larger than ${bytesMax} bytes (limits.httpBodyBytesMax). Send less at a time.`,
    lastAnswer,
  )
}

function tooMany(bytesMax: number): HttpError {
  return new HttpError(
    'overloaded',
    503,
    `Bodies of more than ${bytesMax} bytes are arriving at the same time (limits.httpBodiesBytesMax). Try again shortly.`,
    lastAnswer,
  )
}
