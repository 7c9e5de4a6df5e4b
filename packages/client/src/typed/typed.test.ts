import { MillraceError, type Millrace, queue, SchemaMismatch, type Serializer, serializers, topic } from '@millrace/client'
import { testBroker } from 'millrace/testing'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const Order = z.object({ id: z.number().int(), customer: z.string(), items: z.array(z.object({ price: z.number().positive() })) })
const order = { id: 7, customer: 'c3', items: [{ price: 2.5 }] }
const orders = topic('orders', {
  schema: Order,
  key: ({ customer }) => customer,
  id: ({ id }) => id,
  partitions: 4,
  subscriptions: { billing: { from: 'earliest', delivery: { deadLetter: 'queue:dead' } } },
})
const mail = queue('mail', {
  schema: v.object({ to: v.pipe(v.string(), v.email()), at: v.optional(v.number()) }),
  delivery: { maxAttempts: 5, deadLetter: 'queue:dead' },
})

async function declared(client: Millrace): Promise<void> {
  await client.admin.createQueue({ name: 'dead' })
  await mail.declare(client)
  await orders.declare(client)
}

describe('a declaration', () => {
  it('creates what it declares, as often as it is asked to, and refuses other settings', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await declared(client)
    await orders.declare(client)
    await mail.declare(client)
    expect(await client.admin.topic('orders')).toMatchObject({ partitions: 4, subscriptions: ['billing'] })
    expect(await client.admin.queue('mail')).toMatchObject({ delivery: { maxAttempts: 5, deadLetter: 'queue:dead' } })
    expect((await client.admin.subscription('orders', 'billing')).delivery).toMatchObject({ deadLetter: 'queue:dead' })
    const other = queue('mail', { schema: v.string(), delivery: { maxAttempts: 6 } })
    await expect(other.declare(client)).rejects.toMatchObject({ code: 'already_exists' })
  })

  it('goes from end to end, with key, id and content type', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await declared(client)
    await client.use(orders).publish(order)
    await client.use(orders).publishBatch([{ body: { ...order, id: 8 }, headers: { source: 'web' } }])
    expect(broker.published(orders).all.map(({ key, headers }) => [key, headers])).toEqual([
      ['c3', { 'content-type': 'application/json', 'message-id': '7' }],
      ['c3', { 'content-type': 'application/json', 'message-id': '8', source: 'web' }],
    ])
    const billing = client.use(orders).subscription('billing')
    const [first, second] = await billing.pull()
    expect([first!.body.items[0]!.price, second!.body.id]).toEqual([2.5, 8])
    await Promise.all([first!.ack(), second!.ack()])
    const read: number[] = []
    for await (const { body } of client.use(orders).read({ from: 'earliest', untilEnd: true })) read.push(body.id)
    expect(read).toEqual([7, 8])
    expect((await client.use(orders).peek({ partition: first!.partition }))[0]!.body).toEqual(order)
  })

  it('hands validated bodies to handlers, loops and pulls', async () => {
    await using broker = await testBroker()
    const { client } = broker
    const inbox = client.use(mail)
    await inbox.publishBatch([
      { body: { to: 'a@example.com' } },
      { body: { to: 'b@example.com' } },
      { body: { to: 'c@example.com' } },
    ])
    for await (const message of inbox.messages()) {
      expect(message.body.to).toBe('a@example.com')
      await message.ack()
      break
    }
    const [second] = await inbox.pull({ max: 1 })
    expect(second!.body).toEqual({ to: 'b@example.com' })
    await second!.ack()
    const handled: string[] = []
    const consumption = inbox.consume(({ body, attempt }) => void handled.push(`${body.to} ${attempt}`))
    await broker.acked(mail).waitFor(3)
    await consumption.stop()
    expect(handled).toEqual(['c@example.com 1'])
    expect(await inbox.peek()).toEqual([])
  })

  it('hands a transaction to a handler that wants one', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await client.use(mail).publish({ to: 'a@example.com' })
    const consumption = client
      .use(mail)
      .consume((message, tx) => tx.publish('queue:seen', message.body.to), { transactional: true })
    await broker.acked(mail).waitFor(1)
    await consumption.stop()
    expect(broker.published('queue:seen').texts()).toEqual(['a@example.com'])
  })
})

describe('publishing', () => {
  it('refuses a body that does not fit, with every place that is wrong, and sends nothing', async () => {
    await using broker = await testBroker()
    const { client } = broker
    const wrong = { id: 1.5, customer: 'c', items: [{ price: 1 }, { price: -1 }] }
    const error = await client
      .use(orders)
      .publish(wrong)
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(SchemaMismatch)
    expect(error).toBeInstanceOf(MillraceError)
    expect(error).toMatchObject({ code: 'schema_mismatch', retryable: false })
    expect((error as SchemaMismatch).issues.map(({ path }) => path)).toEqual(['id', 'items[1].price'])
    expect((error as SchemaMismatch).message).toMatch(
      /^topic:orders: this body cannot be published: id: .+; items\[1\]\.price: .+\.$/,
    )
    await expect(client.use(orders).publishBatch([{ body: order }, { body: wrong }])).rejects.toThrow('items[1].price')
    await using publisher = client.use(orders).publisher()
    expect(() => publisher.send(wrong)).toThrow('items[1].price')
    await expect(publisher.publish(wrong)).rejects.toThrow('items[1].price')
    expect(broker.published(orders).count).toBe(0)
  })

  it('lists at most ten places', async () => {
    await using broker = await testBroker()
    const numbers = queue('numbers', { schema: z.array(z.number()) })
    const wrong = Array.from({ length: 12 }, () => 'x') as unknown as number[]
    await expect(broker.client.use(numbers).publish(wrong)).rejects.toThrow(/\[9\]: [^;]+; and 2 more\.$/)
  })

  it('sends the body as it was given: the other side validates it too', async () => {
    await using broker = await testBroker()
    const events = queue('events', {
      schema: z.object({ at: z.iso.datetime().transform((text) => new Date(text)), kind: z.string().default('plain') }),
      id: ({ at, kind }) => `${kind}-${at.getTime()}`,
    })
    await broker.client.use(events).publish({ at: '2025-01-01T00:00:00Z' })
    expect(broker.published(events).json()).toEqual([{ at: '2025-01-01T00:00:00Z' }])
    expect(broker.published(events).last!.headers['message-id']).toBe('plain-1735689600000')
    const [message] = await broker.client.use(events).pull()
    expect(message!.body).toEqual({ at: new Date('2025-01-01T00:00:00Z'), kind: 'plain' })
  })

  it('notices with the first message that a serializer does not bring back what the schema asks for', async () => {
    await using broker = await testBroker()
    const schema = z.object({ at: z.date() })
    const asJson = queue('as-json', { schema })
    const asMessagePack = queue('as-message-pack', { schema, serializer: serializers.messagePack })
    const body = { at: new Date(5) }
    await expect(broker.client.use(asJson).publish(body)).rejects.toThrow(/could not be read again\. Use a serializer .*: at: /)
    await expect(broker.client.use(asJson).publish(body)).rejects.toThrow('could not be read again')
    await broker.client.use(asMessagePack).publish(body)
    const [message] = await broker.client.use(asMessagePack).pull()
    expect(message!.body).toEqual(body)
  })

  it('tells what a serializer cannot hold', async () => {
    await using broker = await testBroker()
    const big = queue('big', { schema: z.object({ n: z.bigint() }) })
    await expect(broker.client.use(big).publish({ n: 1n })).rejects.toMatchObject({
      code: 'schema_mismatch',
      cause: expect.any(TypeError),
    })
  })

  it('lets a publish give its own key and headers', async () => {
    await using broker = await testBroker()
    await broker.client.use(orders).publish(order, { key: 'mine', headers: { 'message-id': 'own' } })
    expect(broker.published(orders).last).toMatchObject({ key: 'mine', headers: { 'message-id': 'own' } })
  })

  it('keeps the order of calls where the schema is asynchronous', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const slow = queue('slow', {
      schema: z.number().refine(async (n) => {
        await clock.sleep(n)
        return n !== 20
      }),
    })
    const handle = client.use(slow)
    const first = handle.publish(1)
    await clock.advance('1s')
    await first
    const outcomes = Promise.allSettled([30, 20, 10].map((n) => handle.publish(n)))
    const batch = handle.publishBatch([{ body: 7 }, { body: 6 }])
    await clock.advance('1s')
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    await batch
    expect(broker.published(slow).json()).toEqual([1, 30, 10, 7, 6])
    await using publisher = handle.publisher()
    expect(() => publisher.send(1)).toThrow('await publish() instead')
    const handled: number[] = []
    handle.consume(({ body }) => void handled.push(body))
    await broker.acked(slow).waitFor(5, { within: '1m' })
    expect(handled).toEqual([1, 30, 10, 7, 6])
  })

  it('has publishers with a window', async () => {
    await using broker = await testBroker()
    await using publisher = broker.client.use(orders).publisher({ window: 2 })
    expect(publisher.send(order)).toBe(true)
    expect(publisher.send(order, { key: 'k' })).toBe(false)
    expect(publisher.unconfirmed).toBe(2)
    await publisher.ready()
    await publisher.flush()
    expect(new Set(broker.published(orders).all.map(({ key }) => key))).toEqual(new Set(['c3', 'k']))
  })
})

describe('a message that does not fit', () => {
  const bad = { body: { to: 'nobody' } }

  it('goes to the dead letters with the reason, once, and others go on', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await declared(client)
    await client.queue('mail').publishBatch([bad, { body: 'no JSON' }, { body: { to: 'a@example.com' } }])
    const handled: string[] = []
    const errors: unknown[] = []
    client.use(mail).consume(({ body }) => void handled.push(body.to), { onError: (error) => void errors.push(error) })
    await broker.acked(mail).waitFor(1)
    await broker.deadLettered(mail).waitFor(2)
    expect(handled).toEqual(['a@example.com'])
    expect(broker.consumed(mail).count).toBe(3)
    const [shape, text] = broker.deadLettered(mail).all
    expect(shape!.reason).toMatch(/^queue:mail: this message does not fit the schema: to: .*email/)
    expect(text!.reason).toMatch(/it is not application\/json: .*JSON/)
    expect(errors).toEqual([expect.any(SchemaMismatch), expect.any(SchemaMismatch)])
  })

  it('is left out of loops and pulls', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await declared(client)
    await client.queue('mail').publishBatch([bad, { body: { to: 'a@example.com' } }, bad, { body: { to: 'b@example.com' } }])
    const [only] = await client.use(mail).pull({ max: 2 })
    expect(only!.body.to).toBe('a@example.com')
    for await (const message of client.use(mail).messages()) {
      expect(message.body.to).toBe('b@example.com')
      await message.ack()
      break
    }
    expect(broker.deadLettered(mail).count).toBe(2)
  })

  it('is what onInvalid says', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await declared(client)
    const decisions = ['reject', 'ack', 'nack', undefined] as const
    await client.queue('mail').publishBatch(decisions.map((decision) => ({ ...bad, headers: { decision: decision ?? 'own' } })))
    const seen: string[] = []
    client.use(mail).consume(() => expect.unreachable(), {
      retryDelayMs: 1000,
      onInvalid: async (message, error) => {
        seen.push(`${message.offset} ${message.attempt} ${error.code}`)
        if (message.offset === 3) await message.reject('by hand')
        return message.attempt > 1 ? 'ack' : decisions[message.offset]
      },
    })
    await broker.deadLettered(mail).waitFor(2)
    await broker.acked(mail).waitFor(2, { within: '2s' })
    expect(broker.nacked(mail).count).toBe(1)
    expect(broker.deadLettered(mail).all.map(({ reason }) => reason!.slice(0, 12))).toEqual(['queue:mail: ', 'by hand'])
    expect(seen.map((text) => text.slice(0, 3))).toEqual(['0 1', '1 1', '2 1', '3 1', '2 2'])
    expect(seen[0]).toContain('schema_mismatch')
  })

  it('is delivered again in loops when onInvalid says nack, or throws', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await client.queue('mail').publish(bad.body)
    const pull = (onInvalid: () => 'nack'): Promise<readonly unknown[]> => client.use(mail).pull({ onInvalid })
    expect(await pull(() => 'nack')).toEqual([])
    expect(
      await pull(() => {
        throw new Error('do not know')
      }),
    ).toEqual([])
    await broker.nacked(mail).waitFor(2)
    expect(broker.nacked(mail).last).toMatchObject({ attempt: 2, reason: 'do not know' })
  })

  it('ends a reader with the error, or is skipped', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await client.admin.createTopic({ name: 'orders' })
    await client.topic('orders').publishBatch([{ body: order }, { body: 'x' }, { body: { ...order, id: 9 } }])
    const read = async (options: object): Promise<number[]> => {
      const ids: number[] = []
      for await (const { body } of client.use(orders).read({ from: 'earliest', untilEnd: true, ...options })) ids.push(body.id)
      return ids
    }
    await expect(read({})).rejects.toMatchObject({ code: 'schema_mismatch' })
    await expect(client.use(orders).peek()).rejects.toMatchObject({ code: 'schema_mismatch' })
    const skipped: number[] = []
    const onInvalid = (message: { readonly offset: number }): void => void skipped.push(message.offset)
    expect(await read({ onInvalid })).toEqual([7, 9])
    expect(await client.use(orders).peek({ onInvalid })).toHaveLength(2)
    expect(skipped).toEqual([1, 1])
  })

  it('is retried where the schema itself fails: that says nothing about the message', async () => {
    await using broker = await testBroker()
    let fails = true
    const moody = queue('moody', {
      schema: z.string().refine(() => {
        if (fails) throw new Error('the registry does not answer')
        return true
      }),
    })
    await broker.client.queue('moody').publish(JSON.stringify('x'))
    expect(await broker.client.use(moody).pull()).toEqual([])
    await broker.nacked(moody).waitFor(1)
    broker.client.use(moody).consume(() => {})
    await broker.nacked(moody).waitFor(2)
    fails = false
    await broker.acked(moody).waitFor(1, { within: '1m' })
    for (const { reason } of broker.nacked(moody).all) expect(reason).toContain('the registry does not answer')
  })
})

describe('content types', () => {
  const body = { to: 'a@example.com', at: 5 }
  const lines: Serializer = {
    contentType: 'text/x-lines',
    serialize: (value) => new TextEncoder().encode((value as string[]).join('\n')),
    deserialize: (bytes) => new TextDecoder().decode(bytes).split('\n'),
  }

  it('of other serializers are read', async () => {
    await using broker = await testBroker()
    const { client } = broker
    const packed = queue('mail', { schema: z.object({ to: z.string(), at: z.number() }), serializer: serializers.messagePack })
    await client.use(packed).publish(body)
    await client.use(mail).publish(body)
    expect(broker.published(mail).all.map(({ headers }) => headers['content-type'])).toEqual([
      'application/vnd.msgpack',
      'application/json',
    ])
    await client
      .queue('mail')
      .publish(JSON.stringify(body), { headers: { 'content-type': 'Application/Problem+JSON; charset=utf-8' } })
    await client.queue('mail').publish(JSON.stringify(body))
    for (const declaration of [mail, packed]) {
      const seen = await client.use(declaration).peek({ max: 3 })
      expect(seen.map((message) => message.body)).toEqual([body, body, body])
    }
    await expect(client.use(packed).peek({ from: { offset: 3 } })).rejects.toThrow('it is not application/vnd.msgpack')
  })

  it('that are unknown go to the dead letters, with those that are known', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await declared(client)
    await client.queue('mail').publish('<to/>', { headers: { 'content-type': 'text/xml' } })
    client.use(mail).consume(() => expect.unreachable())
    const letter = await broker.deadLettered(mail).waitFor(1)
    expect(letter.reason).toBe(
      'queue:mail: content type "text/xml" is unknown; what can be read is application/json, application/vnd.msgpack, application/octet-stream.',
    )
  })

  it('may be your own', async () => {
    await using broker = await testBroker()
    const list = queue('list', { schema: z.array(z.string()), serializer: lines })
    await broker.client.use(list).publish(['a', 'b'])
    expect(broker.published(list).texts()).toEqual(['a\nb'])
    const [message] = await broker.client.use(list).pull()
    expect(message!.body).toEqual(['a', 'b'])
  })

  it('raw takes bytes and nothing else', async () => {
    await using broker = await testBroker()
    const schema = z.custom<Uint8Array>(() => true)
    const blobs = queue('blobs', { schema, serializer: serializers.raw })
    await broker.client.use(blobs).publish(Uint8Array.of(1, 2, 255))
    const [message] = await broker.client.use(blobs).pull()
    expect(message!.body).toEqual(Uint8Array.of(1, 2, 255))
    await expect(broker.client.use(blobs).publish('text' as unknown as Uint8Array)).rejects.toThrow('takes a Uint8Array')
  })

  it('say nothing about a message without a body', async () => {
    const { TypedCodec } = await import('./typed-codec.ts')
    const codec = new TypedCodec('topic:table', { schema: z.unknown() })
    const decoded = await codec.decode({ value: null, headers: {} } as never)
    expect(decoded.error).toMatchObject({ code: 'schema_mismatch', message: expect.stringContaining('it has no body') })
  })
})
