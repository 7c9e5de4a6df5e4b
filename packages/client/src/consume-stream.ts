import type { ConsumeOptions, Message } from './api.ts'
import { PREFETCH } from './consumption.ts'
import { FixedCredit } from './credit.ts'
import type { Link } from './link.ts'
import { MessageStream } from './message-stream.ts'
import { Subscriber, type SubscribeRequest } from './subscriber.ts'

/** Iterator style: the user settles each message; leaving the loop, or the signal, gives back what is unsettled. */
export function consumeStream(link: Link, request: SubscribeRequest, options: ConsumeOptions): MessageStream<Message> {
  const { signal } = options
  const subscriber = new Subscriber(link, () => request, new FixedCredit(options.prefetch ?? PREFETCH), {
    available: () => stream.pump(),
    ended: (error) => stream.end(error),
  })
  const stream: MessageStream<Message> = new MessageStream<Message>(
    () => subscriber.take(),
    async () => {
      await link.settlesDone()
      await subscriber.leave()
    },
  )
  if (signal?.aborted === true) void stream.return()
  else signal?.addEventListener('abort', () => void stream.return(), { once: true })
  return stream
}
