import type { Peeked, PeekOptions, StartPosition, StoredMessage } from './api.ts'
import { FixedCredit } from './credit.ts'
import type { Link } from './link.ts'
import { Subscriber, type SubscribeRequest } from './subscriber.ts'

const MAX = 10

/** Reads a few messages without consuming them, and goes. */
export function peek(link: Link, source: string, options: PeekOptions): Promise<Peeked<StoredMessage>> {
  const { max = MAX, partition, from = 'earliest', filter, waitMs, signal } = options
  if (max < 1) return Promise.resolve(peekedMessages([], from))
  const request: SubscribeRequest = {
    source,
    mode: 'read',
    from,
    ...(partition === undefined ? {} : { partition }),
    ...(filter === undefined ? {} : { filter }),
  }
  return new Promise((resolve, reject) => {
    let messages: StoredMessage[] = []
    let next: StartPosition = from
    let isAtEnd = false
    /** Levels of priority: where each of them ended is no one place to go on from. */
    let isByLevel = false
    let isDone = false
    const cancelWait = waitMs === undefined ? undefined : link.platform.after(waitMs, finish)
    signal?.addEventListener('abort', finish, { once: true })
    const subscriber: Subscriber = new Subscriber(link, () => request, new FixedCredit(max), {
      available() {
        while (messages.length < max) {
          const message = subscriber.takeStored()
          if (message === undefined) return
          messages.push(message)
          next = { offset: message.offset + 1 }
          isByLevel ||= partition === undefined && message.partition > 0
        }
        // Whether that was all is told right after it.
        link.platform.endOfTurn(() => {
          if (messages.length === max) finish()
        })
      },
      passed(offset) {
        if (!isDone) next = { offset }
      },
      caughtUp() {
        isAtEnd = true
        finish()
      },
      interrupted() {
        if (isDone) return
        messages = []
        next = from
      },
      ended(error) {
        if (isDone || error === undefined) return
        leave()
        reject(error)
      },
    })
    if (signal?.aborted === true) finish()

    function finish(): void {
      if (isDone) return
      leave()
      resolve(peekedMessages(messages, isAtEnd || isByLevel ? undefined : next))
      void subscriber.leave()
    }

    function leave(): void {
      isDone = true
      cancelWait?.()
      signal?.removeEventListener('abort', finish)
    }
  })
}

/** `next` is no element: it does not show when the messages are listed or compared. */
export function peekedMessages<M>(messages: readonly M[], next: StartPosition | undefined): Peeked<M> {
  return Object.defineProperty([...messages], 'next', { value: next }) as readonly M[] as Peeked<M>
}
