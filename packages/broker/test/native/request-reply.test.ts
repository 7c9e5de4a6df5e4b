import {
  CORRELATION_ID_HEADER,
  type Millrace,
  type MillraceError,
  REPLY_TO_HEADER,
  type StoredMessage,
  type TransactionMessage,
} from '@millrace/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

let broker: NativeBroker
let server: Millrace
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  server = await broker.connect()
  client = await broker.connect({ clientId: 'web shop/1' })
})

afterEach(() => broker.close())

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as MillraceError).code
  }
  return 'none'
}

async function inboxes(): Promise<string[]> {
  return (await server.admin.queues()).map(({ name }) => name).filter((name) => name.startsWith('reply-'))
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function allOf(answers: AsyncIterable<StoredMessage>): Promise<string[]> {
  const texts: string[] = []
  for await (const answer of answers) texts.push(answer.text())
  return texts
}

/** Subscriptions of topic:question whose consumers answer with their name. */
async function answering(...names: string[]): Promise<void> {
  await server.admin.createTopic({ name: 'question' })
  for (const name of names) {
    await server.admin.createSubscription({ topic: 'question', name })
    server
      .topic('question')
      .subscription(name)
      .consume((message) => message.reply(`${name} says ${message.text()}`))
  }
}

describe('client.request', () => {
  it('gets the answer to each question, however they come back', async () => {
    server.queue('double').consume(
      async (message) => {
        await pause(Math.random() * 10)
        await message.reply({ doubled: (message.json() as number) * 2 }, { headers: { by: 'server' } })
      },
      { concurrency: 20 },
    )
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => client.request('queue:double', n)))
    expect(answers.map((answer) => answer.json())).toEqual(answers.map((_, n) => ({ doubled: 2 * n })))
    expect(Buffer.from(answers[0]!.headers['by']!).toString()).toBe('server')
    const [inbox, ...others] = await inboxes()
    expect(inbox).toMatch(/^reply-web_shop_1-/)
    expect(others).toEqual([])
    // Every answer is acked.
    while ((await server.admin.queue(inbox!)).counters.acked < 40) await pause(2)
    await client.close()
    expect(await inboxes()).toEqual([])
  })

  it('ends with timeout when nobody answers, and drops what comes late', async () => {
    expect(await codeOf(client.request('queue:nobody', 'hello?', { timeoutMs: 10 }))).toBe('timeout')
    const [question] = await server.queue('nobody').pull({ waitMs: 5000 })
    await question!.reply('too late')
    await question!.reply('again')
    const [inbox] = await inboxes()
    while ((await server.admin.queue(inbox!)).counters.acked < 2) await pause(2)
    const answered = client.request('queue:nobody', 'now?')
    const [next] = await server.queue('nobody').pull({ waitMs: 5000 })
    await next!.reply('yes')
    expect((await answered).text()).toBe('yes')
  })

  it('gathers as many answers as were asked for', async () => {
    await answering('a', 'b', 'c')
    const three = await allOf(client.request('topic:question', 'hi', { answers: 3 }))
    expect(three.toSorted()).toEqual(['a says hi', 'b says hi', 'c says hi'])
    const two = await allOf(client.request('topic:question', 'ho', { answers: 2 }))
    expect(two).toHaveLength(2)
    const all = await allOf(client.request('topic:question', 'hu', { answers: 'until-timeout', timeoutMs: 300 }))
    expect(all.toSorted()).toEqual(['a says hu', 'b says hu', 'c says hu'])
    const stream = client.request('topic:question', 'he', { answers: 4, timeoutMs: 300 })
    const seen: string[] = []
    const failed = (async () => {
      for await (const answer of stream) seen.push(answer.text())
    })()
    await expect(failed).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('3 of 4') as string })
    expect(seen).toHaveLength(3)
  })

  it('can be left early', async () => {
    await answering('a', 'b')
    for await (const answer of client.request('topic:question', 'hi', { answers: 'until-timeout', timeoutMs: 60_000 })) {
      expect(answer.text()).toContain('says hi')
      break
    }
    const stop = new AbortController()
    const stopped = client.request('queue:nobody', 'hi', { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(stopped).rejects.toThrow('enough')
  })

  it('fails for good reasons at once', async () => {
    expect(await codeOf(client.request('nobody', 'hi'))).toBe('bad_request')
    expect(() => client.request('queue:q', 'hi', { answers: 0 })).toThrow('answers')
    const waiting = codeOf(client.request('queue:nobody', 'hi'))
    while ((await inboxes()).length === 0) await pause(2)
    await client.close()
    expect(await waiting).toBe('closed')
    expect(await codeOf(client.request('queue:nobody', 'hi'))).toBe('closed')
  })

  it('makes its inbox anew when it was deleted', async () => {
    server.queue('echo').consume((message) => message.reply(message.text()))
    expect((await client.request('queue:echo', 'one', { timeoutMs: Infinity })).text()).toBe('one')
    const waiting = codeOf(client.request('queue:nobody', 'hi'))
    const [inbox] = await inboxes()
    await server.admin.deleteQueue(inbox!)
    expect(await waiting).toBe('not_found')
    expect((await client.request('queue:echo', 'two')).text()).toBe('two')
  })
})

describe('message.reply', () => {
  it('follows the headers, of other protocols too', async () => {
    await server.admin.createQueue({ name: 'answers' })
    await server.queue('q').publish('x', { headers: { [REPLY_TO_HEADER]: 'answers', [CORRELATION_ID_HEADER]: '7' } })
    await server.queue('q').publish('y')
    const [x, y] = await client.queue('q').pull({ max: 2, waitMs: 5000 })
    await x!.reply('answer')
    expect(await codeOf(y!.reply('answer'))).toBe('bad_request')
    const [answer] = await client.queue('answers').peek()
    expect(Buffer.from(answer!.headers[CORRELATION_ID_HEADER]!).toString()).toBe('7')
    expect(Object.keys(answer!.headers)).not.toContain(REPLY_TO_HEADER)
  })

  it('tells that whoever asked is gone, and creates nothing for them', async () => {
    const asked = codeOf(client.request('queue:q', 'x'))
    const [question] = await server.queue('q').pull({ waitMs: 5000 })
    const [inbox] = await inboxes()
    await question!.reply('while it waits')
    expect(await asked).toBe('none')
    await client.close()
    for (let n = 0; n < 2; n++) {
      await expect(question!.reply('too late')).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringMatching(
          /Whoever asked does not wait any more: there is no queue:reply-.* nothing was published/,
        ) as string,
      })
    }
    expect(await inboxes()).toEqual([])
    await server.admin.createQueue({ name: inbox! })
    await question!.reply('somebody is there again')
    expect((await server.queue(inbox!).peek()).map((message) => message.text())).toEqual(['somebody is there again'])
    // What others publish there is created.
    await server.admin.deleteQueue(inbox!)
    await server.queue(inbox!).publish('x')
    expect(await inboxes()).toEqual([inbox])
  })

  it('fails a transaction when whoever asked is gone: nothing of it was done', async () => {
    await server.queue('q').publish('x', { headers: { [REPLY_TO_HEADER]: 'gone' } })
    const [question] = await server.queue('q').pull({ waitMs: 5000 })
    const answered = server.transaction((tx) => {
      tx.publish('queue:done', 'x')
      tx.reply(question!, 'too late')
      tx.ack(question!)
    })
    await expect(answered).rejects.toMatchObject({ code: 'not_found', message: expect.stringContaining('gone') as string })
    expect(await codeOf(server.admin.queue('gone'))).toBe('not_found')
    expect(await server.queue('done').peek()).toHaveLength(0)
    await server.transaction((tx) => tx.ack(question!))
    expect(await server.admin.queue('q')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 1, redelivered: 0 } })
  })

  it('is left out of the transaction of a handler when whoever asked is gone: the rest happens', async () => {
    await server.admin.createQueue({ name: 'there' })
    for (const to of ['gone', 'there']) await server.queue('work').publish(to, { headers: { [REPLY_TO_HEADER]: to } })
    const sent: TransactionMessage[] = []
    server.queue('work').consume(
      (message, tx) => {
        sent.push(tx.publish('queue:done', message.text()))
        sent.push(tx.reply(message, 'answer'))
        sent.push(tx.publish('queue:more', message.text()))
      },
      { transactional: true },
    )
    while ((await server.admin.queue('work')).counters.acked < 2) await pause(2)
    expect(await server.admin.queue('work')).toMatchObject({ counters: { redelivered: 0 } })
    expect((await server.queue('done').peek()).map((message) => message.text())).toEqual(['gone', 'there'])
    expect((await server.queue('there').peek()).map((message) => message.text())).toEqual(['answer'])
    expect(await codeOf(server.admin.queue('gone'))).toBe('not_found')
    const [at0, at1] = [
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ]
    expect(sent.map(({ receipts }) => receipts)).toEqual([[at0], [], [at0], [at1], [at0], [at1]])
  })

  it('is part of a transaction with the ack', async () => {
    server.queue('work').consume(
      (message, tx) => {
        tx.reply(message, 'half')
        if (message.attempt === 1) throw new Error('once more')
        tx.publish('queue:done', message.text())
      },
      { transactional: true, retryDelayMs: 1 },
    )
    expect((await client.request('queue:work', 'it')).text()).toBe('half')
    expect(await server.admin.queue('done')).toMatchObject({ ready: 1 })
    const [inbox] = await inboxes()
    expect(await server.admin.queue(inbox!)).toMatchObject({ counters: { published: 1 } })
  })
})
