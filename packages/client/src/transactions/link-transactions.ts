import { type FrameBody, type JsonObject, reasonOf, writeFrame } from '@millrace/wire'
import { errorOf, MillraceError } from '../errors.ts'
import type { WireConnection } from '../wire-connection.ts'

/** A transaction that is ready to be committed. */
export interface OutgoingTransaction {
  readonly request: JsonObject
  readonly batches: Uint8Array
  /** Whether it settles messages, which are held on one connection only. */
  readonly settles: boolean
  done(result: JsonObject): void
  failed(error: MillraceError): void
}

/** Under way on one connection at once: fewer than a broker takes. */
const SENT_MAX = 128

/** The transactions of a link whose outcome is not known yet. */
export class LinkTransactions {
  readonly #unsent = new Map<number, OutgoingTransaction>()
  readonly #sent = new Map<number, OutgoingTransaction>()
  #connection: WireConnection | undefined
  #next = 0

  /** Sends it, now or as soon as that can be. @returns its number, for `forget` */
  add(transaction: OutgoingTransaction): number {
    const number = this.#next++ % 0x1_0000_0000
    this.#unsent.set(number, transaction)
    this.#write()
    return number
  }

  /** Nobody waits for it any more. @returns whether it was sent, so that its outcome is not known */
  forget(number: number): boolean {
    this.#unsent.delete(number)
    return this.#sent.delete(number)
  }

  connected(connection: WireConnection): void {
    this.#connection = connection
    this.#write()
  }

  transacted({ transaction, result }: FrameBody<'transacted'>): void {
    this.#answered(transaction)?.done(result)
  }

  transactFailed({ transaction, reason }: FrameBody<'transactFailed'>): void {
    this.#answered(transaction)?.failed(errorOf(reasonOf(reason)))
  }

  /** The connection is gone, and with it the messages that were held on it. */
  lost(error: MillraceError): void {
    this.#connection = undefined
    this.#failSent(error)
    for (const [number, transaction] of this.#unsent) {
      if (!transaction.settles) continue
      this.#unsent.delete(number)
      transaction.failed(staleAfterLoss(error))
    }
  }

  /** There will be no other connection. */
  closed(error: MillraceError): void {
    this.#connection = undefined
    this.#failSent(error)
    for (const transaction of this.#unsent.values()) transaction.failed(error)
    this.#unsent.clear()
  }

  #write(): void {
    const connection = this.#connection
    if (connection === undefined) return
    for (const [number, transaction] of this.#unsent) {
      if (this.#sent.size >= SENT_MAX) return
      this.#unsent.delete(number)
      this.#sent.set(number, transaction)
      const { request, batches } = transaction
      writeFrame(connection.writer, 'transact', { transaction: number, request, batches })
      connection.wake()
    }
  }

  #answered(number: number): OutgoingTransaction | undefined {
    const transaction = this.#sent.get(number)
    this.#sent.delete(number)
    this.#write()
    return transaction
  }

  #failSent(error: MillraceError): void {
    for (const transaction of this.#sent.values()) transaction.failed(unknownOutcome(error))
    this.#sent.clear()
  }
}

function unknownOutcome(cause: MillraceError): MillraceError {
  const what = `The connection was lost before the broker answered (${cause.message}): the transaction happened as a whole, or not at all. Messages that it settled come again if it did not.`
  return new MillraceError('outcome_unknown', what, { cause })
}

function staleAfterLoss(cause: MillraceError): MillraceError {
  const what =
    'The connection on which the messages of this transaction came was lost: nothing of it was done, and they are delivered again.'
  return new MillraceError('stale_delivery', what, { cause })
}
