import type { PeekOptions, StoredMessage } from './api.ts'
import { FixedCredit } from './credit.ts'
import type { Link } from './link.ts'
import { Subscriber, type SubscribeRequest } from './subscriber.ts'

const MAX = 10

/** Reads a few messages without consuming them, and goes. */
export function peek(link: Link, source: string, options: PeekOptions): Promise<readonly StoredMessage[]> {
  const { max = MAX, partition, from = 'earliest' } = options
  if (max < 1) return Promise.resolve([])
  const request: SubscribeRequest = { source, mode: 'read', from, ...(partition === undefined ? {} : { partition }) }
  return new Promise((resolve, reject) => {
    let messages: StoredMessage[] = []
    let done = false
    const finish = (): void => {
      if (done) return
      done = true
      resolve(messages)
      void subscriber.leave()
    }
    const subscriber: Subscriber = new Subscriber(link, () => request, new FixedCredit(max), {
      available() {
        while (messages.length < max) {
          const message = subscriber.takeStored()
          if (message === undefined) return
          messages.push(message)
        }
        finish()
      },
      caughtUp: finish,
      interrupted() {
        if (!done) messages = []
      },
      ended(error) {
        if (!done && error !== undefined) reject(error)
      },
    })
  })
}
